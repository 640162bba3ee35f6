"""How near each part of a frame comes to the memory's speed.

    python -m benchmarks.roofline [--shape mid] [--n-vq 32] [--device auto] [--dtype auto] [-o roofline.png]

Each part is timed alone, step by step, on random weights; its floor is the time to read its weights once at
the bandwidth measured in the same run. Sampling reads no weights; its time is part of the depth
transformer, or of the heads of a model without one.
Prints a table, and draws it.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch

from benchmarks.frame import Bench, bytes_per_frame
from benchmarks.measure import bandwidth_gb_s, p50_p95, times_ms
from benchmarks.shapes import SHAPES
from moss_stream.config import EngineOptions
from moss_stream.engine.device import choose_device, choose_dtype
from moss_stream.engine.generator import FrameShape

RUNS = 20


@dataclass(frozen=True)
class Part:
    """What is measured of a part of a frame."""

    name: str
    ms: float
    floor_ms: float

    @property
    def share(self) -> float:
        """Of the floor in the time: 1 is as fast as the memory."""
        return self.floor_ms / self.ms


def measure(bench: Bench, read: dict[str, int], gb_s: float) -> list[Part]:
    """Time the parts."""
    rest = "heads" if "heads" in read else "depth transformer"
    work: dict[str, Callable[[], object]] = {
        "backbone": lambda: _backbone(bench),
        rest: lambda: _next_row(bench),
        "of it, sampling": lambda: _sampling(bench),
        "codec": lambda: bench.vocoder.compute(step),
        "whole frame": bench.frame,
    }
    bench.prefill(0)
    step = bench.generator.step([0])
    weights = {
        "backbone": read["backbone"],
        rest: sum(read.values()) - read["backbone"] - read["codec"],
        "of it, sampling": 0,
        "codec": read["codec"],
        "whole frame": sum(read.values()),
    }
    return [
        Part(name, p50_p95(times_ms(each, RUNS, bench.device))[0], weights[name] / gb_s / 1e6)
        for name, each in work.items()
    ]


def _backbone(bench: Bench) -> None:
    generator = bench.generator
    shape = generator.prepare([0])
    state = generator._state[:, :1]
    generator._backbone(shape, state[0].bool(), state[2], None)


def _next_row(bench: Bench) -> None:
    generator = bench.generator
    shape = generator.prepare([0])
    generator.compute(FrameShape(shape.batch, 0, shape.n_vq, shape.is_masked, shape.is_mixed))


def _sampling(bench: Bench) -> None:
    sampler, size = bench.generator.sampler, bench.format.vocab_size
    logits = torch.zeros(1, size, device=bench.device)
    if bench.format.delay is not None:  # all at once
        count = bench.format.num_codebooks
        wanted = torch.ones(1, count, dtype=torch.bool, device=bench.device)
        sampler.codes(logits.repeat(1, count, 1), wanted)
        return
    for codebook in range(bench.n_vq):
        sampler.code(codebook, logits)


def table(parts: Sequence[Part]) -> str:
    """Return the figures as lines."""
    lines = [f"{'part':18} {'ms':>8} {'floor ms':>9} {'share':>6}"]
    for part in parts:
        share = f"{100 * part.share:.0f} %" if part.floor_ms else ""
        lines.append(f"{part.name:18} {part.ms:8.2f} {part.floor_ms:9.2f} {share:>6}")
    return "\n".join(lines)


def draw(parts: Sequence[Part], path: str) -> None:
    """Draw the times, and the floors in them."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7, 3), layout="constrained")
    axes = figure.add_subplot(xlabel="ms", title="A frame, and the floor of each part")
    names = [part.name for part in parts]
    axes.barh(names, [part.ms for part in parts], color="#9ab")
    axes.barh(names, [part.floor_ms for part in parts], color="#2f7d4f")
    axes.invert_yaxis()
    figure.savefig(path)


def main() -> None:
    """Parse the command line, measure, print and draw."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--shape", choices=list(SHAPES), default="mid")
    parser.add_argument("--n-vq", type=int)
    parser.add_argument("--device", default="auto")
    parser.add_argument("--dtype", default="auto")
    parser.add_argument("-o", "--output", default="roofline.png")
    args = parser.parse_args()
    shape, device = SHAPES[args.shape], choose_device(args.device)
    dtype, n_vq = choose_dtype(args.dtype, device), args.n_vq or shape.num_codebooks
    with torch.inference_mode():
        options = EngineOptions(max_streams=1)
        bench = Bench(shape, device, dtype, n_vq, 300, options)
        gb_s = bandwidth_gb_s(device)
        parts = measure(bench, bytes_per_frame(shape, n_vq, dtype, options), gb_s)
    print(f"shape {args.shape}, K={n_vq}, {dtype}, {gb_s:.0f} GB/s measured")
    print(table(parts))
    draw(parts, args.output)


if __name__ == "__main__":
    main()
