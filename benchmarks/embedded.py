"""The embedded voice: time to first audio, time of a frame, RTF and memory.

    python -m benchmarks.embedded [--runs 20] [--compare]

Warm: two texts are spoken before the runs that count. All codebooks, the default options. `--compare` speaks
in turns with the compiled loops and with PyTorch's operations (float32, packed weights), so that both see the
same machine, and gives the ratios. To hold the instruction set down, see tests/README.md.
"""

from __future__ import annotations

import argparse
import asyncio
import time

import psutil

from benchmarks.measure import p50_p95
from moss_stream import EngineOptions, StreamingSynthesizer

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


async def measure(*synths: StreamingSynthesizer, runs: int = 20) -> list[dict[str, float]]:
    """Return the figures of `runs` runs with each of some synthesizers, which take turns."""
    for synth in synths * 2:
        await run_once(synth)
    results = [[await run_once(synth) for synth in synths] for _ in range(runs)]
    return [_figures([run[index] for run in results]) for index in range(len(synths))]


def _figures(results: list[tuple[float, list[float], float]]) -> dict[str, float]:
    first_ms = p50_p95([first for first, _, _ in results])
    frame_ms = p50_p95([frame for _, frames, _ in results for frame in frames])
    return {
        "first audio p50, ms": first_ms[0],
        "first audio p95, ms": first_ms[1],
        "frame p50, ms": frame_ms[0],
        "frame p95, ms": frame_ms[1],
        "RTF p50": p50_p95([rtf for _, _, rtf in results])[0],
    }


async def compare(runs: int) -> None:
    """Print the figures of both ways, and the ratios."""
    async with (
        await StreamingSynthesizer.load(dtype="float32", options=EngineOptions(compiled=True)) as ours,
        await StreamingSynthesizer.load(dtype="float32", options=EngineOptions(compiled=False)) as theirs,
    ):
        compiled, eager = await measure(ours, theirs, runs=runs)
    print(f"{'':22} {'compiled':>10} {'PyTorch':>10} {'ratio':>8}")
    for name, value in compiled.items():
        print(f"{name:22} {value:10.4g} {eager[name]:10.4g} {eager[name] / value:8.2f}")


async def main() -> None:
    """Parse the command line, measure, print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--runs", type=int, default=20)
    parser.add_argument("--compare", action="store_true")
    args = parser.parse_args()
    if args.compare:
        await compare(args.runs)
        return
    async with await StreamingSynthesizer.load() as synth:
        print(synth.info.description)
        for name, value in (await measure(synth, runs=args.runs))[0].items():
            print(f"{name:22} {value:.4g}")
        print(f"{'resident memory, MB':22} {psutil.Process().memory_info().rss / 1e6:.4g}")


if __name__ == "__main__":
    asyncio.run(main())
