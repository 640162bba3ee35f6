"""The frames that were made last, on the device: what a repetition penalty with a window looks at."""

from __future__ import annotations

import torch
from torch import Tensor

__all__ = ["RecentFrames"]


class RecentFrames:
    """A ring of the codes of the last frames of each sequence.

    Until it is full, the places that are left hold the first frame: a code counts once or often alike, so
    no place has to be left out.

    Args:
        batch: Sequences.
        num_codebooks: Nq.
        window: Frames.
        device: Of everything.
    """

    def __init__(self, batch: int, num_codebooks: int, window: int, device: torch.device) -> None:
        self._codes = torch.zeros(batch, window, num_codebooks, dtype=torch.int64, device=device)
        self._age = torch.zeros(batch, dtype=torch.int64, device=device)
        self._places = torch.arange(window, device=device)

    def restart(self, sequence: int) -> None:
        """Forget the frames of a sequence."""
        self._age[sequence].zero_()

    def mark(self, last: Tensor, active: Tensor, seen: Tensor) -> None:
        """Take in the frame before the next one, and say which codes are recent.

        Args:
            last: [B, Nq] int64: the codes of the frame before, if there was one since the restart. Those
                of sequences that are not active may be taken in again and again.
            active: [B] bool: the sequences that move on.
            seen: [B, Nq, V] bool, written.
        """
        batch, window = len(active), len(self._places)
        age, codes = self._age[:batch, None], self._codes[:batch]
        newest = self._places == torch.remainder(age - 1, window)
        is_new = (age > 0) & (newest | (age == 1))
        codes.copy_(torch.where(is_new[:, :, None], last[:, None], codes))
        seen.zero_().scatter_(2, codes.transpose(1, 2), True)
        seen.logical_and_((age > 0)[:, :, None])
        self._age[:batch].add_(active)

    def state(self) -> list[Tensor]:
        """Return every tensor that outlives a step."""
        return [self._codes, self._age]
