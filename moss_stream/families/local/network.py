"""MossTTSLocal v1.0: embeddings, backbone and depth transformer, one frame at a time."""

from __future__ import annotations

from typing import Literal, cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from moss_stream.families.local.config import LocalConfig
from moss_stream.families.local.depth import LocalDepth
from moss_stream.families.network import NetworkScratch, RowFormat
from moss_stream.nn.cache import KVCache
from moss_stream.nn.ops import Ops
from moss_stream.nn.qwen3 import Backbone
from moss_stream.nn.sampling import Sampler

__all__ = ["MossTTSLocal", "text_rows"]


def _pair(config: LocalConfig) -> list[int]:
    """Return the two ids that the text channel chooses between: go on, and end."""
    return sorted([config.audio_assistant_gen_slot_token_id, config.audio_end_token_id])


def text_rows(config: LocalConfig, text_head: Literal["pair", "full"]) -> list[int] | None:
    """Return the rows of the text head to load; None for all."""
    return _pair(config) if text_head == "pair" else None


class MossTTSLocal(nn.Module):
    """Implements `moss_stream.families.network.Network`; rows are [text id, code 0, ..., code Nq - 1]."""

    def __init__(self, config: LocalConfig, text_head: Literal["pair", "full"]) -> None:
        super().__init__()
        self.config = config
        width = config.language_config.hidden_size
        self.pair = _pair(config)
        self.text_rows = text_rows(config, text_head)
        self.text_embedding = nn.Parameter(torch.empty(config.language_config.vocab_size, width))
        self.audio_embedding = nn.Parameter(torch.empty(config.n_vq, config.audio_vocab_size + 1, width))
        self.backbone = Backbone(config.language_config)
        self.depth = LocalDepth(config, self.text_rows)

    @torch.inference_mode()
    def prepare(self, max_context: int) -> None:
        """Compute the tables that follow from the weights; needed once before use."""
        device, dtype = self.text_embedding.device, self.text_embedding.dtype
        self.backbone.prepare(max_context + 1, device, dtype)  # and the row that nobody reads
        self.depth.tabulate(self.audio_embedding)
        self._codebook_rows = torch.arange(self.config.n_vq, device=device) * (
            self.config.audio_vocab_size + 1
        )
        self._text_ids = torch.tensor(self.pair, device=device)

    @property
    def rows(self) -> RowFormat:
        """See `Network`."""
        c = self.config
        most = c.language_config.max_position_embeddings
        return RowFormat(
            num_codebooks=c.n_vq,
            codebook_size=c.audio_vocab_size,
            vocab_size=c.audio_vocab_size + 1,
            pad_code=c.audio_pad_code,
            end_channel=0,
            end_id=c.audio_end_token_id,
            max_rows=most,
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

    def embed(self, rows: Tensor, n_vq: int, used: Tensor | None = None) -> Tensor:
        """Sum the embeddings of rows.

        Args:
            rows: [B, T, 1 + Nq].
            n_vq: How many codebooks are embedded; the pad code has an embedding like any other.
            used: [B, n_vq] bool: which of them count; None for all.

        Returns:
            [B, T, hidden].
        """
        flat = rows[..., 1 : 1 + n_vq] + self._codebook_rows[:n_vq]
        audio = F.embedding(flat, self.audio_embedding.flatten(0, 1))
        if used is not None:
            audio = audio * used[:, None, :, None]
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
        """Embed `rows` (see `embed`) and run them through the backbone (see `Backbone.forward`)."""
        x = self.embed(rows, n_vq, used)
        return self.backbone.forward(x, positions, cache, context, mask)

    def next_row(
        self,
        hidden: Tensor,
        n_vq: int,
        scratch: NetworkScratch,
        sampler: Sampler,
        out: Tensor,
        is_outside: bool = False,
    ) -> None:
        """See `Network`."""
        cache = cast(KVCache, scratch)
        sampled = sampler.text(self.depth.step(self.depth.in_mlp(hidden), 0, cache))
        out[:, 0] = sampled if self.text_rows is None else self._text_ids[sampled]
        self.depth.codes(F.embedding(out[:, 0], self.text_embedding), n_vq, cache, sampler)
        out[:, 1 : 1 + n_vq] = sampler.sampled[: len(out), 1 : 1 + n_vq]
