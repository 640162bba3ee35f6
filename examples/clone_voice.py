"""Speak in the voice of a recording; encode it once and speak with it many times.

    python examples/clone_voice.py reference.wav "What to say."

Writes cloned.wav. The embedded voice knows three speakers and is drawn towards them; name a large checkpoint
in `load` to imitate anybody, and ask them first.
"""

from __future__ import annotations

import asyncio
import sys

from moss_stream import StreamingSynthesizer, SynthesisOptions


async def main(reference: str, text: str) -> None:
    """Clone, speak, save."""
    async with await StreamingSynthesizer.load() as synth:
        voice = await synth.encode_voice(reference)  # 0.5 to 60 s of one person; 5 to 20 s are best
        print(f"{voice.duration_s:.1f} s of reference")
        for seed in (0, 1):  # another seed says it another way
            audio = await synth.say(text, voice=voice, options=SynthesisOptions(seed=seed))
            await asyncio.to_thread(audio.save, "cloned.wav")
            print(f"seed {seed}: {audio.duration_s:.1f} s")


asyncio.run(main(sys.argv[1], sys.argv[2]))
