"""Which number format this CPU multiplies in fastest: measured, since instruction sets do not tell."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache, partial

import torch
import torch.nn.functional as F
from torch import Tensor

from moss_stream.nn.packing import pack, product, why_plain

__all__ = ["Trial", "measure"]

OUT, IN = 2048, 1024
"""The measured matrix: 8 MB in float32, more than a core's own caches."""
FRAME_ROWS, PROMPT_ROWS = 1, 16
"""One stream's frame reads a matrix for one row, a prompt or many streams for more: CPUs without
bfloat16 can be quick with one row of it and many times slower with sixteen."""
GAIN = 1.25
"""Below this bfloat16 is not worth its rounding, and two measurements could disagree."""


@dataclass(frozen=True)
class Trial:
    """How long products take in both formats: best times in ms, for one row and for sixteen."""

    float32: tuple[float, float]
    bfloat16: tuple[float, float]

    @property
    def best(self) -> str:
        """The dtype to use: bfloat16 where it is clearly faster for one row and for many."""
        ratios = (wide / narrow for wide, narrow in zip(self.float32, self.bfloat16, strict=True))
        return "bfloat16" if min(ratios) >= GAIN else "float32"

    @property
    def summary(self) -> str:
        """What was measured, for people."""
        return (
            f"a product of one row takes {self.float32[0]:.2f} ms in float32 and {self.bfloat16[0]:.2f} "
            f"in bfloat16, of {PROMPT_ROWS} rows {self.float32[1]:.2f} and {self.bfloat16[1]:.2f}"
        )


@cache  # The machine stays the same, and all models of a process should get the same answer.
def measure() -> Trial:
    """Time products over a matrix in float32 and bfloat16, as the model would run them.

    It takes one thread: on a busy machine the others would tell about its load, not about the dtype.
    """
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with torch.inference_mode():
            return _measure()
    finally:
        torch.set_num_threads(threads)


def _measure() -> Trial:
    weight = torch.full((OUT, IN), 1 / IN)
    multiply = {dtype: _multiplier(weight.to(dtype)) for dtype in (torch.float32, torch.bfloat16)}

    def times_ms(rows: int, tries: int) -> list[float]:
        calls = [partial(by, torch.ones(rows, IN, dtype=dtype)) for dtype, by in multiply.items()]
        return _best_ms(calls, tries)

    one, many = times_ms(FRAME_ROWS, 5), times_ms(PROMPT_ROWS, 3)
    return Trial((one[0], many[0]), (one[1], many[1]))


def _multiplier(weight: Tensor) -> Callable[[Tensor], Tensor]:
    """Return a function that multiplies rows as a model's layer does: packed if this CPU can."""
    if why_plain(weight.dtype) is None:
        return partial(product, packed=pack(weight))
    return partial(F.linear, weight=weight)


def _best_ms(calls: Sequence[Callable[[], Tensor]], tries: int) -> list[float]:
    """Return the shortest time of each call, tried in turns, so that all see the same machine."""
    best = [float("inf")] * len(calls)
    for _ in range(tries):
        for index, call in enumerate(calls):
            began_s = time.perf_counter()
            call()
            best[index] = min(best[index], 1e3 * (time.perf_counter() - began_s))
    return best
