"""From the rows that a network makes to the frames that the codec reads."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from torch import Tensor

from moss_stream.engine.generator import Step

__all__ = ["Aligned", "Aligner", "Immediate"]


@dataclass(frozen=True, slots=True)
class Aligned:
    """What a step gives to listen to, on the device."""

    codes: Tensor
    """[B, Nq] int64: of a frame, where there is one."""
    has_frame: Tensor
    """[B] bool: whether the codes are audio."""
    is_end: Tensor
    """[B] bool: whether the segment is over."""


class Aligner(Protocol):
    """Works on memory that is made once, without a decision of the host: a step can be captured."""

    def align(self, step: Step) -> Aligned:
        """Take the rows of a step."""


class Immediate:
    """Every row is a frame, at once, but the one that ends a segment: its codes are not audio.

    Args:
        end_id: The text id of that row.
    """

    def __init__(self, end_id: int) -> None:
        self._end_id = end_id

    def align(self, step: Step) -> Aligned:
        """See `Aligner`."""
        is_end = step.rows[:, 0] == self._end_id
        return Aligned(step.rows[:, 1:], ~is_end, is_end)
