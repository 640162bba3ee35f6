"""Show that a long stream costs no more than a short one: time and memory at frame 200 and frame 2,000.

    python -m benchmarks.flat [--shape tiny|mid|1.7b] [--device auto] [--dtype auto]

Random weights; the context starts at 300 rows and ends at 2,300.
"""

from __future__ import annotations

import argparse
import statistics

import psutil
import torch

from benchmarks.frame import Bench
from benchmarks.measure import times_ms
from benchmarks.shapes import SHAPES
from moss_stream.config import EngineOptions
from moss_stream.engine.device import choose_device, choose_dtype


def main() -> None:
    """Parse the command line, measure, print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--shape", choices=list(SHAPES), default="tiny")
    parser.add_argument("--n-vq", type=int, default=8)
    parser.add_argument("--device", default="auto")
    parser.add_argument("--dtype", default="auto")
    args = parser.parse_args()
    device = choose_device(args.device)
    bench = Bench(
        SHAPES[args.shape],
        device,
        choose_dtype(args.dtype, device),
        args.n_vq,
        300,
        EngineOptions(max_streams=1),
    )
    process = psutil.Process()
    bench.prefill(0)
    with torch.inference_mode():
        early = times_ms(bench.frame, 100, device, warmup=150)  # frames 150 to 250
        memory = process.memory_info().rss
        times_ms(bench.frame, 1700, device, warmup=0)
        late = times_ms(bench.frame, 100, device, warmup=0)  # frames 1,950 to 2,050
    early_ms, late_ms = statistics.median(early), statistics.median(late)
    grown = (process.memory_info().rss - memory) / 2**20
    print(f"frame 200: {early_ms:.2f} ms, frame 2,000: {late_ms:.2f} ms, ratio {late_ms / early_ms:.2f}")
    print(f"resident memory grew by {grown:.1f} MiB between them")


if __name__ == "__main__":
    main()
