"""Several people are talked to at the same time, on one model.

    python examples/many_streams.py

All streams advance together, a frame at a time. If one more would make the others stutter it waits; if too
many wait, it is refused.
"""

from __future__ import annotations

import asyncio

from moss_stream import EngineOptions, Overloaded, StreamingSynthesizer

TEXTS = ["Your table is ready.", "The train leaves at noon.", "It will rain today.", "Turn left here."]


async def speak(synth: StreamingSynthesizer, name: str, text: str) -> None:
    """Speak to one person."""
    stream = synth.stream(text, voice=name)
    try:
        async for _ in stream:
            pass  # hand the chunk to a sink, a call, a socket
    except Overloaded as error:
        print(f"{name}: {error}")
        return
    metrics = stream.metrics
    assert metrics is not None and metrics.ttfa_s is not None and metrics.rtf is not None
    times = f"first audio after {1000 * metrics.ttfa_s:.0f} ms, RTF {metrics.rtf:.2f}"
    print(f"{name}: {metrics.audio_s:.1f} s, {times}")


async def main() -> None:
    """Speak to all of them."""
    async with await StreamingSynthesizer.load(options=EngineOptions(max_streams=4, max_queue=4)) as synth:
        voices = [name for name in synth.voices for _ in range(2)]
        await asyncio.gather(*(speak(synth, name, text) for name, text in zip(voices, TEXTS, strict=False)))
        print(f"{synth.metrics.frames} frames, {synth.metrics.batch_size:.1f} streams a step")


asyncio.run(main())
