"""The delay pattern: codebook j of a frame stands j rows below codebook 0, and so do begin and end."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from moss_stream.families.delay.config import DelayConfig
from moss_stream.text.message import Codes, Rows

__all__ = ["DelayPattern", "delayed"]

NOT_ENDING = 1 << 40
"""Rows since the first delay slot where there was none: more than any number of codebooks."""


def delayed(codes: Codes, pad: int) -> Rows:
    """Return the cells of an audio's rows, [T + Nq - 1, Nq], from its codes [T, Nq]."""
    length, count = codes.shape
    cells = np.full((length + count - 1, count), pad, dtype=np.int64)
    for codebook in range(count):
        cells[codebook : codebook + length, codebook] = codes[:, codebook]
    return cells


class DelayPattern:
    """Where each sequence is between its words and in its diagonals, on the device.

    It says which text ids are not sampled but due, and which codebooks have a code in the next row, as the
    reference implementation's `generate` does it; no decision is the host's.

    Args:
        config: Of the checkpoint.
        rows: Rows since audio_start, it included; 0 outside audio. [B] int64, as the others.
        ended: Rows since the first delay slot, it included; `NOT_ENDING` without one.
        step: Rows since the prompt.
        is_audio: [B] bool: within audio.
    """

    def __init__(
        self, config: DelayConfig, rows: Tensor, ended: Tensor, step: Tensor, is_audio: Tensor
    ) -> None:
        self._config = config
        self.rows, self.ended, self.step, self.is_audio = rows, ended, step, is_audio
        self._codebooks = torch.arange(config.n_vq, device=rows.device)

    @classmethod
    def new(cls, config: DelayConfig, batch: int, device: torch.device) -> DelayPattern:
        """Return the pattern of sequences that are outside audio."""
        rows, ended, step = (torch.zeros(batch, dtype=torch.int64, device=device) for _ in range(3))
        return cls(config, rows, ended.fill_(NOT_ENDING), step, torch.zeros_like(rows, dtype=torch.bool))

    def part(self, start: int, stop: int) -> DelayPattern:
        """See `NetworkScratch`."""
        return DelayPattern(self._config, *(tensor[start:stop] for tensor in self.state()))

    def begin(self, sequence: int, rows: Rows) -> None:
        """See `NetworkScratch`: a prompt ends outside audio, or goes on with one."""
        c, ids = self._config, rows[:, 0]
        is_within = ids[-1] in (c.audio_start_token_id, c.audio_assistant_gen_slot_token_id)
        starts = (ids == c.audio_start_token_id).nonzero()[0]
        self.rows[sequence] = len(ids) - int(starts[-1]) if is_within and len(starts) else 0
        self.is_audio[sequence] = bool(is_within and len(starts))
        self.ended[sequence], self.step[sequence] = NOT_ENDING, 0

    def state(self) -> list[Tensor]:
        """See `NetworkScratch`."""
        return [self.rows, self.ended, self.step, self.is_audio]

    def bars_delay_slot(self) -> Tensor:
        """Return where an audio cannot end yet, [B] bool: in the first row after a prompt."""
        return self.step == 0

    def bars_end(self) -> Tensor:
        """Return where the model's turn cannot end yet, [B] bool: in the first Nq + 1 rows."""
        return self.step <= self._config.n_vq

    def due(self, sampled: Tensor) -> Tensor:
        """Return the text ids [B] of the next row: those that are due, else those that were sampled."""
        c = self._config
        tail = torch.where(self.ended < c.n_vq, c.audio_assistant_delay_slot_token_id, c.audio_end_token_id)
        return torch.where(self.ended <= c.n_vq, tail, sampled)

    def has_code(self) -> Tensor:
        """Return which codebooks have a code in the next row, [B, Nq] bool."""
        has_begun = self._codebooks < self.rows[:, None]
        is_over = (self._codebooks < self.ended[:, None]) & (self.ended != NOT_ENDING)[:, None]
        return has_begun & ~is_over

    def advance(self, ids: Tensor, active: Tensor) -> None:
        """Take in the text ids of the next row, [B], of the sequences that are `active` [B] (bool)."""
        c = self._config
        starts, ends = ids == c.audio_start_token_id, ids == c.audio_end_token_id
        delays = ids == c.audio_assistant_delay_slot_token_id
        grows = starts | delays | (ids == c.audio_assistant_gen_slot_token_id)
        rows = torch.where(ends, 0, self.rows + grows)
        ended = torch.where(delays & (self.ended == NOT_ENDING), 0, self.ended)
        ended = ended + (ended != NOT_ENDING)
        ended = torch.where(ended > c.n_vq, NOT_ENDING, ended)
        self.rows.copy_(torch.where(active, rows, self.rows))
        self.ended.copy_(torch.where(active, ended, self.ended))
        self.is_audio.copy_(torch.where(active, (self.is_audio | starts) & ~ends, self.is_audio))
        self.step.add_(active)
