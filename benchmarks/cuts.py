"""Which cut of the products makes a whole frame fastest on this GPU.

    python -m benchmarks.cuts [--shape 1.7b] [--n-vq 32] [--streams 1] [--seconds 120]

One kind of product after the other (plain, then gated) is tried with every cut while the other keeps the best
that was found; each time the frame is captured anew and timed. Stops when the time is up.
"""

from __future__ import annotations

import argparse
import itertools
import time
from collections.abc import Iterator

import torch

from benchmarks.frame import Bench
from benchmarks.measure import p50_p95, times_ms
from benchmarks.shapes import SHAPES
from moss_stream.config import EngineOptions
from moss_stream.engine.capture import GraphCapture
from moss_stream.engine.device import choose_dtype
from moss_stream.engine.runner import FrameRunner
from moss_stream.kernels import project
from moss_stream.kernels.project import Blocks

FRAMES = 30


def candidates(columns: tuple[int, ...]) -> Iterator[Blocks]:
    """Yield cuts whose sums fit into registers: at most 8,192 of them for a program."""
    for stages, count, inputs, warps in itertools.product((1, 3), columns, (256, 512, 1024, 2048), (4, 8)):
        if 1024 <= count * inputs <= 8192 and (warps == 8) == (count * inputs > 4096):
            yield Blocks(count, inputs, warps, stages)


class Trial:
    """A model whose frames are captured with one cut after the other."""

    def __init__(self, bench: Bench) -> None:
        self._bench = bench
        usual = project.blocks_for
        self.best = {kind: usual(len(bench.slots), kind) for kind in (False, True)}
        project.blocks_for = lambda rows, is_gated: self.best[is_gated]

    def frame_ms(self) -> float:
        """Return the p50 of a frame as it is cut now; infinite if it cannot be."""
        bench = self._bench
        try:
            bench.runner = FrameRunner(bench.generator, bench.vocoder, GraphCapture(bench.device))
            return p50_p95(times_ms(bench.frame, FRAMES, bench.device))[0]
        except Exception as error:  # registers or shared memory that a cut needs too much of
            print(f"  {str(error).partition(chr(10))[0][:100]}")
            return float("inf")

    def improve(self, kind: bool, cuts: Iterator[Blocks], until_s: float) -> None:
        """Try the cuts for gated products or for the others, and keep the best."""
        best_ms = self.frame_ms()
        print(f"{'gated' if kind else 'plain'}: {best_ms:.2f} ms with {self.best[kind]}", flush=True)
        kept = self.best[kind]
        for cut in cuts:
            if time.perf_counter() > until_s:
                break
            self.best[kind] = cut
            taken_ms = self.frame_ms()
            print(f"  {taken_ms:7.2f} ms  {cut}", flush=True)
            if taken_ms < best_ms:
                best_ms, kept = taken_ms, cut
        self.best[kind] = kept
        print(f"best: {best_ms:.2f} ms with {kept}", flush=True)


@torch.inference_mode()
def main() -> None:
    """Parse the command line, try, print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--shape", choices=list(SHAPES), default="1.7b")
    parser.add_argument("--n-vq", type=int)
    parser.add_argument("--streams", type=int, default=1)
    parser.add_argument("--seconds", type=float, default=120.0)
    args = parser.parse_args()
    shape, device = SHAPES[args.shape], torch.device("cuda")
    n_vq = args.n_vq or shape.num_codebooks
    options = EngineOptions(max_streams=args.streams)
    bench = Bench(shape, device, choose_dtype("auto", device), n_vq, 300, options)
    for slot in bench.slots:
        bench.prefill(slot)
    began_s, trial = time.perf_counter(), Trial(bench)
    trial.improve(False, candidates((1, 2, 4, 8, 16)), began_s + 0.55 * args.seconds)
    trial.improve(True, candidates((1, 2, 4, 8)), began_s + args.seconds)


if __name__ == "__main__":
    main()
