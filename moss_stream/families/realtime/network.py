"""MOSS-TTS-Realtime: embeddings, backbone and depth transformer, one frame at a time."""

from __future__ import annotations

from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from moss_stream.families.network import NetworkScratch, RowFormat, TextFeed
from moss_stream.families.realtime.config import OPENING, WINDOW, RealtimeConfig
from moss_stream.families.realtime.depth import RealtimeDepth
from moss_stream.nn.cache import KVCache
from moss_stream.nn.ops import Ops
from moss_stream.nn.qwen3 import Backbone
from moss_stream.nn.sampling import Sampler

__all__ = ["MossTTSRealtime"]


class MossTTSRealtime(nn.Module):
    """Implements `moss_stream.families.network.Network`; rows are [text id, code 0, ..., code Nq - 1].

    Nothing samples the text channel: the text id of each row is given. All codebooks are always generated:
    the model was trained with all of them in every row, and has not learned to do without the finer ones.
    """

    def __init__(self, config: RealtimeConfig) -> None:
        super().__init__()
        self.config = config
        width = config.language_config.hidden_size
        self.text_embedding = nn.Parameter(torch.empty(config.language_config.vocab_size, width))
        self.audio_embedding = nn.Parameter(torch.empty(config.rvq, config.audio_vocab_size, width))
        self.backbone = Backbone(config.language_config)
        self.depth = RealtimeDepth(config)

    @torch.inference_mode()
    def prepare(self, max_context: int) -> None:
        """Compute the tables that follow from the sizes; needed once before use."""
        device, dtype = self.device, self.dtype
        self.backbone.prepare(max_context + 1, device, dtype)  # and the row that nobody reads
        self.depth.prepare()
        self._codebook_rows = torch.arange(self.config.rvq, device=device) * self.config.audio_vocab_size

    @property
    def rows(self) -> RowFormat:
        """See `Network`."""
        c = self.config
        return RowFormat(
            num_codebooks=c.rvq,
            codebook_size=c.audio_pad_token,
            vocab_size=c.audio_vocab_size,
            pad_code=None,
            end_channel=1,
            end_id=c.eos_code,
            max_rows=c.language_config.max_position_embeddings,
            feed=TextFeed(OPENING, c.text_pad, c.audio_pad_token, c.bos_code),
            window=WINDOW,
        )

    @property
    def width(self) -> int:
        """See `Network`."""
        return self.config.language_config.hidden_size

    @property
    def device(self) -> torch.device:
        """See `Network`."""
        return self.text_embedding.device

    @property
    def dtype(self) -> torch.dtype:
        """See `Network`."""
        return self.text_embedding.dtype

    @property
    def ops(self) -> Ops:
        """See `Network`."""
        return self.depth.ops

    @property
    def finds_rows(self) -> bool:
        """See `Network`."""
        return self.backbone.finds_rows()

    def new_cache(self, batch: int, capacity: int) -> KVCache:
        """See `Network`."""
        return self.backbone.new_cache(batch, capacity)

    def new_scratch(self, batch: int) -> KVCache:
        """See `Network`: the depth transformer's cache."""
        return self.depth.new_cache(batch)

    def embed(self, rows: Tensor) -> Tensor:
        """Sum the embeddings of rows [B, T, 1 + Nq]; pads have embeddings like any other value."""
        audio = F.embedding(rows[..., 1:] + self._codebook_rows, self.audio_embedding.flatten(0, 1))
        return F.embedding(rows[..., 0], self.text_embedding) + audio.sum(dim=2)

    def hidden(
        self,
        rows: Tensor,
        n_vq: int,
        positions: Tensor,
        cache: KVCache,
        context: int,
        mask: Tensor | None,
        used: Tensor | None = None,
    ) -> Tensor:
        """See `Network`; all codebooks count, whatever `n_vq` and `used` say."""
        return self.backbone.forward(self.embed(rows), positions, cache, context, mask)

    def next_row(
        self,
        hidden: Tensor,
        n_vq: int,
        scratch: NetworkScratch,
        sampler: Sampler,
        out: Tensor,
        is_outside: bool = False,
    ) -> None:
        """See `Network`; all codebooks are generated."""
        self.depth.codes(hidden, cast(KVCache, scratch), sampler)
        out[:, 1:] = sampler.sampled[: len(out), 1:]
