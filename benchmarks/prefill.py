"""What a kept beginning of the prompt buys: time to first audio with the voice of a recording.

    python -m benchmarks.prefill [--runs 20] [--seconds 8]

The embedded voice speaks with a reference of some seconds, again and again: first with nothing kept from one
stream to the next, then as always. Both in one process, in turns.
"""

from __future__ import annotations

import argparse
import asyncio
import time

from benchmarks.measure import p50_p95
from moss_stream import Audio, EngineOptions, StreamingSynthesizer, Voice
from moss_stream.embedded import embedded_model
from moss_stream.engine.load import load_engine
from moss_stream.engine.prefix_store import PrefixStore
from moss_stream.engine.worker import Worker
from moss_stream.families.family import find
from moss_stream.hub import codec_of, locate

TEXTS = ("Good morning, how are you today?", "The train leaves at nine.", "Please open the window.")


async def main(runs: int, seconds: float) -> None:
    """Print the times of both ways."""
    folder, options = embedded_model(), EngineOptions()
    codec = locate(codec_of(folder, find(folder).codec.repository))
    engine = load_engine(folder, codec, "auto", "auto", options)
    worker = Worker(lambda: engine, options.max_queue)
    async with StreamingSynthesizer(worker, await worker.start(), options) as synth:
        speech = await synth.say(" ".join(TEXTS * 3))
        voice = await synth.encode_voice(
            Audio(speech.samples[: int(seconds * speech.sample_rate)], speech.sample_rate)
        )
        times_ms: dict[str, list[float]] = {"nothing kept": [], "beginning kept": []}
        kept = engine.generator._prefixes
        for run in range(runs + 2):
            for name, store in (("nothing kept", PrefixStore(0)), ("beginning kept", kept)):
                engine.generator._prefixes = store
                for slot in engine.generator._slots:
                    slot.forget()
                first_ms = await _first_ms(synth, voice, TEXTS[run % len(TEXTS)])
                if run >= 2:
                    times_ms[name].append(first_ms)
    for name, values in times_ms.items():
        print("{:15} first audio p50 {:5.1f} ms, p95 {:5.1f} ms".format(name, *p50_p95(values)))


async def _first_ms(synth: StreamingSynthesizer, voice: Voice, text: str) -> float:
    began = time.perf_counter()
    async with synth.stream(text, voice=voice) as stream:
        await anext(aiter(stream))
        return (time.perf_counter() - began) * 1000


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--runs", type=int, default=20)
    parser.add_argument("--seconds", type=float, default=8.0)
    args = parser.parse_args()
    asyncio.run(main(args.runs, args.seconds))
