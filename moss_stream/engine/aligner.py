"""From the rows that a network makes to the frames that the codec reads."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from torch import Tensor

from moss_stream.config import SynthesisOptions
from moss_stream.engine.generator import Step
from moss_stream.families.network import RowFormat

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
    used: Tensor | None = None
    """[B, Nq] bool: which of the codes are to be heard; None: those that the step says."""
    whole: Tensor | None = None
    """[B, Nq] int64: all codes of a frame that became whole, perhaps after it was heard; None: `codes`."""
    is_whole: Tensor | None = None
    """[B] bool: whether there is one; None: where there is a frame."""
    is_outside: Tensor | None = None
    """[B] bool: whether the next row's text may be any word; None: nowhere."""


class Aligner(Protocol):
    """Works on memory that is made once, without a decision of the host: a step can be captured."""

    def open(self, slot: int, options: SynthesisOptions) -> None:
        """Start a stream."""

    def begin(self, slot: int) -> None:
        """Start a segment."""

    def align(self, step: Step) -> Aligned:
        """Take the rows of a step."""

    def state(self) -> list[Tensor]:
        """Return every tensor that outlives a step."""


class Immediate:
    """Every row is a frame, at once, but the one that ends a segment: its codes are not audio.

    Nor are rows with values that the codec does not know, where a model can sample them: the reference
    implementation of MOSS-TTS-Realtime does not decode them, either.

    Args:
        rows: Of the network.
    """

    def __init__(self, rows: RowFormat) -> None:
        self._channel, self._end_id = rows.end_channel, rows.end_id
        self._size = rows.codebook_size if rows.pad_code is None else None

    def open(self, slot: int, options: SynthesisOptions) -> None:
        """See `Aligner`: nothing to note."""

    def begin(self, slot: int) -> None:
        """See `Aligner`: nothing to note."""

    def state(self) -> list[Tensor]:
        """See `Aligner`."""
        return []

    def align(self, step: Step) -> Aligned:
        """See `Aligner`."""
        is_end, codes = step.rows[:, self._channel] == self._end_id, step.rows[:, 1:]
        if self._size is None:
            return Aligned(codes, ~is_end, is_end)
        has_frame = (codes < self._size).all(dim=1) & ~is_end
        return Aligned(codes.clamp(max=self._size - 1), has_frame, is_end)
