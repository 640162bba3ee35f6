"""The embedded voice: time to first audio, time of a frame, RTF and memory.

    python -m benchmarks.embedded [--runs 20]

Warm: two texts are spoken before the runs that count. All codebooks, the default options.
"""

from __future__ import annotations

import argparse
import asyncio
import time

import psutil

from benchmarks.measure import p50_p95
from moss_stream import StreamingSynthesizer

TEXT = "The quick brown fox jumps over the lazy dog, and nobody knows why."


async def run_once(synth: StreamingSynthesizer) -> tuple[float, list[float], float]:
    """Return the time to first audio in ms, the times between chunks in ms, and the RTF."""
    began = last = time.perf_counter()
    times_ms, speech_s = [], 0.0
    async for chunk in synth.stream(TEXT):
        now = time.perf_counter()
        if chunk.duration_s:
            times_ms.append((now - last) * 1000)
        last, speech_s = now, speech_s + chunk.duration_s
    return times_ms[0], times_ms[1:], (last - began) / speech_s


async def measure(synth: StreamingSynthesizer, runs: int = 20) -> dict[str, float | str]:
    """Return the figures of `runs` runs."""
    for _ in range(2):
        await run_once(synth)
    results = [await run_once(synth) for _ in range(runs)]
    first_ms = p50_p95([first for first, _, _ in results])
    frame_ms = p50_p95([frame for _, frames, _ in results for frame in frames])
    return {
        "first audio p50, ms": first_ms[0],
        "first audio p95, ms": first_ms[1],
        "frame p50, ms": frame_ms[0],
        "frame p95, ms": frame_ms[1],
        "RTF p50": p50_p95([rtf for _, _, rtf in results])[0],
        "resident memory, MB": psutil.Process().memory_info().rss / 1e6,
    }


async def main() -> None:
    """Parse the command line, measure, print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--runs", type=int, default=20)
    args = parser.parse_args()
    async with await StreamingSynthesizer.load() as synth:
        for name, value in (await measure(synth, args.runs)).items():
            print(f"{name:22} {value:.4g}")


if __name__ == "__main__":
    asyncio.run(main())
