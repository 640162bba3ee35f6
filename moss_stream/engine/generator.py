"""Frame generation: rows into the persistent KV cache, then one row a step."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from moss_stream.config import EngineOptions, SamplingOptions, SynthesisOptions
from moss_stream.models.local import MossTTSLocal
from moss_stream.models.qwen3 import causal_mask
from moss_stream.models.sampling import Sampler
from moss_stream.text.prompt import Rows

__all__ = ["FrameGenerator"]


class FrameGenerator:
    """The autoregressive loop of one stream.

    Buffers are allocated once. Prefill runs in chunks at fixed borders, and chunks whose rows have
    not changed since the last prefill are kept: their keys and values are bit for bit those that
    running them again would give, whatever was spoken before.
    """

    def __init__(self, model: MossTTSLocal, options: EngineOptions) -> None:
        config = model.config
        device = model.text_embedding.device
        self._model = model
        self._chunk = options.prefill_chunk
        self.capacity = min(options.max_context, config.language_config.max_position_embeddings)
        self._cache = model.backbone.new_cache(1, self.capacity)
        self._depth_cache = model.depth.new_cache(1)
        self._sampler = Sampler(1, config.n_vq, config.audio_vocab_size + 1, device)
        self._positions = torch.arange(self.capacity, device=device)[None]
        self._row = torch.zeros(1, 1 + config.n_vq, dtype=torch.int64, device=device)
        self._hidden = torch.zeros(
            1, config.language_config.hidden_size, dtype=model.text_embedding.dtype, device=device
        )
        self._kept: Rows = np.empty((0, 1 + config.n_vq), dtype=np.int64)
        self._length = 0
        self._has_new_row = False
        self.n_vq = config.n_vq

    def open(self, options: SynthesisOptions) -> None:
        """Start a stream with its sampling options, seed and number of codebooks."""
        config = self._model.config
        n_vq = options.n_vq or config.n_vq
        if n_vq != self.n_vq:  # rows embed only the codebooks in use
            self._kept = self._kept[:0]
        self.n_vq = n_vq
        sampling = options.sampling or SamplingOptions()
        self._sampler.configure(0, sampling.channels(config.n_vq), options.seed)

    @torch.inference_mode()
    def prefill(self, rows: Rows) -> None:
        """Make `rows` [T, 1 + Nq], at most `capacity`, the context of the next frame."""
        start = self._unchanged(rows)
        self._kept = self._kept[:start]  # should this fail half-way, the rest is not to be trusted
        device_rows = torch.from_numpy(rows).to(self._row.device)
        for a in range(start, len(rows), self._chunk):
            b = min(a + self._chunk, len(rows))
            positions = self._positions[:, a:b]
            mask = causal_mask(positions, b)
            hidden = self._model.hidden(device_rows[None, a:b], self.n_vq, positions, self._cache, b, mask)
        self._hidden.copy_(hidden[:, -1])
        self._sampler.remember(0, device_rows[:, 1:])
        self._kept = rows[: len(rows) // self._chunk * self._chunk]
        self._length = len(rows)
        self._has_new_row = False
        self._row.zero_()

    def _unchanged(self, rows: Rows) -> int:
        """Return how many rows at the start are in the cache already, in whole chunks."""
        shared = min(len(rows) - 1, len(self._kept))  # the last row's hidden state is always needed
        same = (rows[:shared] == self._kept[:shared]).all(axis=1)
        count = shared if same.all() else int(same.argmin())
        return count // self._chunk * self._chunk

    @torch.inference_mode()
    def step(self) -> Tensor:
        """Return the next row, [1, 1 + Nq]; the buffer is written again by the next step."""
        if self._has_new_row:
            a, b = self._length, self._length + 1
            hidden = self._model.hidden(
                self._row[:, None], self.n_vq, self._positions[:, a:b], self._cache, b, None
            )
            self._hidden.copy_(hidden[:, 0])
            self._length = b
        self._model.frame(self._hidden, self.n_vq, self._depth_cache, self._sampler, self._row)
        self._has_new_row = True
        return self._row

    def state(self) -> list[Tensor]:
        """Return every tensor that outlives a step, to prove that nothing grows."""
        caches = [self._cache.keys, self._cache.values, self._depth_cache.keys, self._depth_cache.values]
        return [*caches, self._sampler.seen, self._sampler.frame, self._row, self._hidden]
