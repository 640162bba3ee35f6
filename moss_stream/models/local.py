"""MossTTSLocal v1.0: embeddings, backbone and depth transformer, one frame at a time."""

from __future__ import annotations

from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from moss_stream.models.cache import KVCache
from moss_stream.models.config import LocalConfig
from moss_stream.models.depth import DepthTransformer
from moss_stream.models.qwen3 import Backbone
from moss_stream.models.sampling import Sampler

__all__ = ["MossTTSLocal", "text_rows"]


def _pair(config: LocalConfig) -> list[int]:
    """Return the two ids that the text channel chooses between: go on, and end."""
    return sorted([config.audio_assistant_gen_slot_token_id, config.audio_end_token_id])


def text_rows(config: LocalConfig, text_head: Literal["pair", "full"]) -> list[int] | None:
    """Return the rows of the text head to load; None for all."""
    return _pair(config) if text_head == "pair" else None


class MossTTSLocal(nn.Module):
    """The network; rows are [text id, code 0, ..., code Nq - 1]."""

    def __init__(self, config: LocalConfig, text_head: Literal["pair", "full"]) -> None:
        super().__init__()
        self.config = config
        width = config.language_config.hidden_size
        self.pair = _pair(config)
        self.text_rows = text_rows(config, text_head)
        self.text_embedding = nn.Parameter(torch.empty(config.language_config.vocab_size, width))
        self.audio_embedding = nn.Parameter(torch.empty(config.n_vq, config.audio_vocab_size + 1, width))
        self.backbone = Backbone(config.language_config)
        self.depth = DepthTransformer(config, self.text_rows)

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

    def frame(self, hidden: Tensor, n_vq: int, cache: KVCache, sampler: Sampler, row: Tensor) -> None:
        """Sample the row that follows a hidden state.

        Args:
            hidden: Of the last row, [B, hidden].
            n_vq: How many codebooks to generate; the others are left as they are in `row`.
            cache: The depth transformer's; overwritten.
            sampler: Chooses and remembers; its `next_frame` was called.
            row: [B, 1 + Nq] int64, written.
        """
        choice = sampler.text(self.depth.step(self.depth.in_mlp(hidden), 0, cache))
        row[:, 0] = choice if self.text_rows is None else self._text_ids[choice]
        self.depth.codes(F.embedding(row[:, 0], self.text_embedding), n_vq, cache, sampler)
        row[:, 1 : 1 + n_vq] = sampler.chosen[: len(row), 1 : 1 + n_vq]
