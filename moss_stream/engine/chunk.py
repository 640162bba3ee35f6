"""One chunk of a prompt: laid out on the host, run through the backbone on the device."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from moss_stream.families.network import Network
from moss_stream.nn.cache import KVCache
from moss_stream.nn.qwen3 import causal_mask
from moss_stream.text.message import Rows

__all__ = ["ChunkShape", "PromptChunk"]

MIN_LENGTH = 16
"""Rows of the shortest chunk; there are few lengths, since each one costs memory."""


@dataclass(frozen=True, slots=True)
class ChunkShape:
    """What the host decides of a chunk; everything else is read from the device's own memory."""

    length: int
    """Rows that are computed."""
    context: int
    """Rows of the cache that are attended over."""
    n_vq: int
    """Codebooks that rows embed."""


class PromptChunk:
    """Runs the rows of a prompt, a chunk at a time, for any slot.

    Chunks are padded to a few lengths, powers of two: the CPU's matrix library keeps what it made for every
    length it has met, megabytes each, for ever, and CUDA graphs are captured for each length.

    Args:
        model: Embeds the rows and runs them.
        cache: Of all slots; its last row is written by padding, and read by nobody.
        most: Rows of a chunk.
        hidden: [slots + 1, hidden]: the hidden state of a chunk's last row is written to its slot.
        rows: [slots + 1, 1 + Nq]: the slot's last sampled row, which is none yet: set to 0.

    Attributes:
        most: Rows of a chunk.
        lengths: What chunks are padded to, the largest first.
        host: [most, 2 + Nq] int64: the position and the row of each, as laid out.
        target: [3, 1] int64: the slot that is read and written, the slot that results go to, and the index of
            the last row.
    """

    def __init__(self, model: Network, cache: KVCache, most: int, hidden: Tensor, rows: Tensor) -> None:
        device, is_cuda = hidden.device, hidden.device.type == "cuda"
        self.most = most
        self.lengths = _lengths(most)
        self._model = model
        self._nowhere = cache.capacity - 1
        self._hidden, self._last_rows = hidden, rows
        # Positions and rows; then the slot that is read and written, where results go, and the last row.
        self.host = torch.zeros(most, 1 + rows.shape[1], dtype=torch.int64, pin_memory=is_cuda)
        self.target = torch.zeros(3, 1, dtype=torch.int64, pin_memory=is_cuda)
        self._device = torch.zeros(self.host.shape, dtype=torch.int64, device=device)
        self._target = torch.zeros(3, 1, dtype=torch.int64, device=device)
        self._picked = cache.at(self._target[0])
        self._taken = torch.cuda.Event() if is_cuda else None

    def lay_out(self, slot: int, rows: Rows, start: int, n_vq: int, context: int) -> ChunkShape:
        """Lay out `rows` [T, 1 + Nq] from position `start` on; return the least shape that they take."""
        length = min(fitting for fitting in self.lengths if fitting >= len(rows))
        self._write(length, rows, start)
        self.target.numpy()[:, 0] = slot, slot, len(rows) - 1
        return ChunkShape(length, context, n_vq)

    def idle(self, shape: ChunkShape) -> None:
        """Lay out a chunk of no slot: whatever is computed leaves no trace."""
        self._write(shape.length, self.host[:0, 1:].numpy(), 0)
        self.target.numpy()[:, 0] = 0, len(self._hidden) - 1, 0

    def _write(self, length: int, rows: Rows, start: int) -> None:
        if self._taken is not None:
            self._taken.synchronize()  # the device may still be about to read the chunk before
        host, count = self.host.numpy(), len(rows)
        host[:length, 0] = self._nowhere
        host[:count, 0] = np.arange(start, start + count)
        host[:count, 1:] = rows
        host[count:length, 1:] = 0

    @torch.inference_mode()
    def compute(self, shape: ChunkShape) -> None:
        """Do the work of a chunk on the device: no decision of the host, no wait for the device."""
        part = self._device[: shape.length]
        part.copy_(self.host[: shape.length], non_blocking=True)
        self._target.copy_(self.target, non_blocking=True)
        positions, rows = part[None, :, 0], part[None, :, 1:]
        mask = causal_mask(positions, shape.context)
        hidden = self._model.hidden(rows, shape.n_vq, positions, self._picked, shape.context, mask)
        self._hidden.index_copy_(0, self._target[1], hidden[0].index_select(0, self._target[2]))
        self._last_rows.index_fill_(0, self._target[1], 0)

    def note(self) -> None:
        """Note that the chunk was begun; what it was laid out in is written again when it has been read."""
        if self._taken is not None:
            self._taken.record()


def _lengths(most: int) -> list[int]:
    lengths, length = [most], MIN_LENGTH
    while length < most:
        lengths.append(length)
        length *= 2
    return sorted(lengths, reverse=True)
