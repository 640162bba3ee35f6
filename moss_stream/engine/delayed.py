"""From rows whose codebooks stand one below the other to frames that can be heard."""

from __future__ import annotations

import torch
from torch import Tensor

from moss_stream.config import SynthesisOptions
from moss_stream.engine.aligner import Aligned, Aligner, Immediate
from moss_stream.engine.generator import Step
from moss_stream.families.network import DelayFormat, RowFormat

__all__ = ["Delayed", "aligner_for"]

NOT_ENDING = 1 << 40
"""Frames of an audio whose end is not known: more than any context holds."""


class Delayed:
    """Implements `Aligner` for the delay pattern: codebook j of frame t stands in row t + j of an audio.

    A frame can be heard as soon as the codebooks that are to be heard of it are there: with K of them, the
    first one after K rows. The model always makes all of them, since it was trained so. A stream may begin
    with few codebooks: every frame is heard with one more than the frame before it, until all K are. A frame
    then takes two rows for as long, and no row makes more than one.

    Args:
        rows: Of the network.
        delay: How its text ids say where audio is.
        batch: Streams.
        device: Of everything.
    """

    def __init__(self, rows: RowFormat, delay: DelayFormat, batch: int, device: torch.device) -> None:
        count = rows.num_codebooks
        self._delay, self._end_id = delay, rows.end_id
        self._last_code = rows.codebook_size - 1
        self._ring = torch.zeros(batch, count, count, dtype=torch.int64, device=device)
        # For each stream: rows of the audio so far, frames of it that were heard, its frames if they are
        # known, frames that the stream has heard in all, codebooks of the first one, and of all.
        self._counts = torch.zeros(6, batch, dtype=torch.int64, device=device)
        self._counts[4:] = count
        self._counts[2] = NOT_ENDING
        self._codebooks = torch.arange(count, device=device)

    def open(self, slot: int, options: SynthesisOptions) -> None:
        """See `Aligner`: how many codebooks are heard, and of the first frame."""
        most = options.n_vq or len(self._codebooks)
        self._counts[3, slot] = 0
        self._counts[4, slot] = min(options.first_n_vq or most, most)
        self._counts[5, slot] = most
        self.begin(slot)

    def begin(self, slot: int) -> None:
        """See `Aligner`: a prompt ends before the first row of an audio, or of what continues one."""
        self._counts[:2, slot] = 0
        self._counts[2, slot] = NOT_ENDING

    def state(self) -> list[Tensor]:
        """See `Aligner`."""
        return [self._ring, self._counts]

    def align(self, step: Step) -> Aligned:
        """See `Aligner`."""
        batch, ids = len(step.rows), step.rows[:, 0]
        old = self._counts[:, :batch]
        rows, heard, length, total, least, most = old
        is_end_slot = ids == self._delay.end_slot_id
        is_row = (is_end_slot | (ids == self._delay.slot_id)) & step.active
        rows = rows + is_row
        length = torch.where(is_row & is_end_slot, torch.minimum(length, rows), length)
        self._store(step, rows, is_row)
        depth = torch.minimum(least + total, most)
        has_frame = is_row & (heard < length) & (heard + depth <= rows)
        count = len(self._codebooks)
        is_whole = is_row & (rows >= count) & (rows - count < length)
        codes, whole = self._frame(heard), self._frame(rows - count)
        used = self._codebooks < depth[:, None]
        is_between = step.active & ~is_row
        old[0].copy_(rows.masked_fill(is_between, 0))
        old[1].copy_((heard + has_frame).masked_fill(is_between, 0))
        old[2].copy_(length.masked_fill(is_between, NOT_ENDING))
        old[3].add_(has_frame)
        is_outside = ~is_row & (ids != self._delay.start_id)
        is_end = ids == self._end_id
        return Aligned(codes * used, has_frame, is_end, used, whole, is_whole, is_outside)

    def _store(self, step: Step, rows: Tensor, is_row: Tensor) -> None:
        """Put the codes of the newest row into the ring."""
        count, ring = len(self._codebooks), self._ring[: len(step.rows)]
        is_place = self._codebooks == torch.remainder(rows - 1, count)[:, None]
        is_new = (is_place & is_row[:, None])[:, :, None]
        ring.copy_(torch.where(is_new, step.rows[:, None, 1:], ring))

    def _frame(self, number: Tensor) -> Tensor:
        """Return the codes [B, Nq] of the frame of each stream that has a number, [B]."""
        count = len(self._codebooks)
        places = torch.remainder(number[:, None] + self._codebooks, count)
        found = self._ring[: len(number)].gather(1, places[:, None])[:, 0]
        return found.clamp(max=self._last_code)  # where there is no frame, there may be pads


def aligner_for(rows: RowFormat, batch: int, device: torch.device) -> Aligner:
    """Return what finds the frames in a network's rows, for `batch` streams."""
    return Immediate(rows) if rows.delay is None else Delayed(rows, rows.delay, batch, device)
