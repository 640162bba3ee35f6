"""Frame generation: rows into the persistent KV cache, then one row a step for many streams at once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from moss_stream.config import EngineOptions, SamplingOptions, SynthesisOptions
from moss_stream.models.local import MossTTSLocal
from moss_stream.models.qwen3 import causal_mask
from moss_stream.models.sampling import Sampler
from moss_stream.text.prompt import Rows

__all__ = ["FrameGenerator", "Step"]

CONTEXT_BUCKET = 256
"""Streams of one batch attend over the same number of rows, rounded up to a multiple of this."""
MIN_CHUNK = 16


@dataclass(slots=True)
class _Slot:
    """What the host knows of a stream."""

    n_vq: int
    kept: Rows
    """Rows at the start of the cache that can be trusted, in whole chunks."""
    rows: Rows
    """The prompt."""
    length: int = 0
    """Rows in the cache."""
    is_fresh: bool = False
    """The hidden state is that of the prompt; no row was sampled since."""


@dataclass(frozen=True, slots=True)
class Step:
    """The next row of each of the first B streams, on the device."""

    rows: Tensor
    """[B, 1 + Nq] int64; the buffer is written again by the next step."""
    active: Tensor
    """[B] bool: the streams that were stepped."""
    n_vq: int
    """The most codebooks that any of them uses."""
    used: Tensor | None = None
    """[B, n_vq] bool: the codebooks of each; None if all use as many."""


class FrameGenerator:
    """The autoregressive loop.

    Buffers are allocated once, for `max_streams` slots. Streams that are stepped together are computed in
    one batch, which reaches from slot 0 to the last of them; slots in between are computed too, but stay as
    they are. Prefill runs in chunks at fixed borders, and chunks whose rows have not changed since the last
    prefill are kept: their keys and values are bit for bit those that running them again would give.
    """

    def __init__(self, model: MossTTSLocal, options: EngineOptions) -> None:
        config, batch = model.config, options.max_streams
        device = model.text_embedding.device
        self._model = model
        self._chunk = options.prefill_chunk
        self._batch, self._is_fixed = batch, options.fixed_batch
        self.capacity = min(options.max_context, config.language_config.max_position_embeddings)
        # Slots that are computed but not stepped write to one more row, which nobody reads.
        self._cache = model.backbone.new_cache(batch, self.capacity + 1)
        self._depth_cache = model.depth.new_cache(batch)
        self._sampler = Sampler(batch, config.n_vq, config.audio_vocab_size + 1, device)
        self._caches = [self._cache.part(0, n) for n in range(1, batch + 1)]
        self._depth_caches = [self._depth_cache.part(0, n) for n in range(1, batch + 1)]
        self._positions = torch.arange(self.capacity, device=device)[None]
        self._rows = torch.zeros(batch, 1 + config.n_vq, dtype=torch.int64, device=device)
        self._sampled = torch.zeros_like(self._rows)
        self._hidden = torch.zeros(
            batch, config.language_config.hidden_size, dtype=model.text_embedding.dtype, device=device
        )
        # For each slot: whether it is stepped, whether it has a new row, its length and its codebooks.
        self._host = torch.zeros(4, batch, dtype=torch.int64, pin_memory=device.type == "cuda")
        self._state = torch.zeros(4, batch, dtype=torch.int64, device=device)
        self._codebooks = torch.arange(config.n_vq, device=device)
        none: Rows = np.empty((0, 1 + config.n_vq), dtype=np.int64)
        self._slots = [_Slot(config.n_vq, none, none) for _ in range(batch)]

    def open(self, slot: int, options: SynthesisOptions) -> None:
        """Start a stream in a slot with its sampling options, seed and number of codebooks."""
        config, state = self._model.config, self._slots[slot]
        n_vq = options.n_vq or config.n_vq
        if n_vq != state.n_vq:  # rows embed only the codebooks in use
            state.kept = state.kept[:0]
        state.n_vq, state.is_fresh = n_vq, False
        sampling = options.sampling or SamplingOptions()
        self._sampler.configure(slot, sampling.channels(config.n_vq), options.seed)

    def begin(self, slot: int, rows: Rows) -> None:
        """Take `rows` [T, 1 + Nq], at most `capacity`, as the context of the slot's next frame."""
        state = self._slots[slot]
        state.length = self._unchanged(state, rows)
        # Should the prefill fail half-way, the rest is not to be trusted.
        state.kept = state.kept[: state.length]
        state.rows = rows

    @torch.inference_mode()
    def prefill(self, slot: int) -> bool:
        """Run the next chunk of the slot's prompt; return whether that was the last one."""
        state = self._slots[slot]
        a, b = state.length, min(state.length + self._chunk, len(state.rows))
        rows, positions = self._padded(state.rows[a:b], a)
        context = self._context(b)
        cache, mask = self._cache.part(slot, slot + 1), causal_mask(positions, context)
        hidden = self._model.hidden(rows, state.n_vq, positions, cache, context, mask)
        state.length = b
        if b < len(state.rows):
            return False
        self._hidden[slot] = hidden[0, b - a - 1]
        self._sampler.remember(slot, torch.from_numpy(state.rows[:, 1:]).to(self._rows.device))
        state.kept = state.rows[: len(state.rows) // self._chunk * self._chunk]
        state.is_fresh = True
        self._rows[slot] = 0
        return True

    def _padded(self, rows: Rows, start: int) -> tuple[Tensor, Tensor]:
        """Return a chunk [1, T', 1 + Nq] and its positions [1, T'], padded to one of a few lengths.

        The CPU's matrix library keeps what it made for every length it has met: megabytes each, for ever.
        """
        length = min(self._chunk, max(MIN_CHUNK, 1 << (len(rows) - 1).bit_length()))
        padded = np.zeros((length, rows.shape[1]), dtype=np.int64)
        padded[: len(rows)] = rows
        positions = torch.full((1, length), self.capacity, device=self._rows.device)
        positions[:, : len(rows)] = self._positions[:, start : start + len(rows)]
        return torch.from_numpy(padded).to(self._rows.device)[None], positions

    def _context(self, rows: int) -> int:
        """Return how many rows of the cache to attend over, so that there are few different numbers."""
        return min(-(-rows // CONTEXT_BUCKET) * CONTEXT_BUCKET, self.capacity)

    def _unchanged(self, slot: _Slot, rows: Rows) -> int:
        """Return how many rows at the start are in the cache already, in whole chunks."""
        shared = min(len(rows) - 1, len(slot.kept))  # the last row's hidden state is always needed
        same = (rows[:shared] == slot.kept[:shared]).all(axis=1)
        count = shared if same.all() else int(same.argmin())
        return count // self._chunk * self._chunk

    @torch.inference_mode()
    def step(self, slots: Sequence[int]) -> Step:
        """Sample the next row of the streams in `slots`."""
        batch = self._batch if self._is_fixed else 1 + max(slots)
        active, has_row, length, levels = self._upload(slots, batch)
        if any(not self._slots[slot].is_fresh for slot in slots):
            self._backbone(slots, active & has_row, length)
        for slot in slots:
            self._slots[slot].length += not self._slots[slot].is_fresh
            self._slots[slot].is_fresh = False
        counts = {self._slots[slot].n_vq for slot in slots}
        n_vq = max(counts)
        self._sampler.next_frame(active)
        cache, sampled = self._depth_caches[batch - 1], self._sampled[:batch]
        self._model.frame(self._hidden[:batch], n_vq, cache, self._sampler, sampled)
        used = self._codebooks < levels[:, None]
        sampled[:, 1:].mul_(used)
        rows = self._rows[:batch]
        rows.copy_(torch.where(active[:, None], sampled, rows))
        return Step(rows, active, n_vq, used[:, :n_vq] if len(counts) > 1 else None)

    def _upload(self, slots: Sequence[int], batch: int) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Bring the slots' state to the device in one copy; return its four rows [batch]."""
        self._host[0] = 0
        self._host[0, list(slots)] = 1
        self._host[1:] = torch.tensor(
            [
                [not slot.is_fresh for slot in self._slots],
                [slot.length for slot in self._slots],
                [slot.n_vq for slot in self._slots],
            ]
        )
        self._state.copy_(self._host, non_blocking=True)
        active, has_row, length, levels = self._state[:, :batch]
        return active.bool(), has_row.bool(), length, levels

    def _backbone(self, slots: Sequence[int], stepped: Tensor, length: Tensor) -> None:
        """Run the last row of the `stepped` streams [B] through the backbone."""
        batch = len(stepped)
        context = 1 + max(self._slots[slot].length for slot in slots)
        positions = torch.where(stepped, length, self.capacity)[:, None]
        mask = None
        if batch > 1:
            context = self._context(context)
            mask = causal_mask(positions, context)
        n_vq = max(self._slots[slot].n_vq for slot in slots)
        used = self._codebooks[:n_vq] < self._state[3, :batch, None]
        rows, cache = self._rows[:batch, None], self._caches[batch - 1]
        hidden = self._model.hidden(rows, n_vq, positions, cache, context, mask, used)
        old = self._hidden[:batch]
        old.copy_(torch.where(stepped[:, None], hidden[:, 0], old))

    def state(self) -> list[Tensor]:
        """Return every tensor that outlives a step, to prove that nothing grows."""
        caches = [self._cache.keys, self._cache.values, self._depth_cache.keys, self._depth_cache.values]
        buffers = [self._rows, self._sampled, self._hidden, self._host, self._state]
        return [*caches, self._sampler.seen, self._sampler.frame, *buffers]
