"""What networks have in common whose rows are embedded, summed over channels, and read by a backbone."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from moss_stream.nn.cache import KVCache
from moss_stream.nn.config import TransformerConfig
from moss_stream.nn.ops import Ops
from moss_stream.nn.qwen3 import Backbone

__all__ = ["RowNetwork"]


class RowNetwork(nn.Module):
    """All of `moss_stream.families.network.Network` but how the next row is made.

    Attributes:
        text_embedding: [vocabulary, width].
        audio_embedding: [Nq, V, width]; values that mark rows without audio are embedded like any other.
        backbone: Qwen3.

    Args:
        language: Of the backbone.
        num_codebooks: Nq.
        num_values: V: values of a codebook's channel.
    """

    def __init__(self, language: TransformerConfig, num_codebooks: int, num_values: int) -> None:
        super().__init__()
        width = language.hidden_size
        self.text_embedding = nn.Parameter(torch.empty(language.vocab_size, width))
        self.audio_embedding = nn.Parameter(torch.empty(num_codebooks, num_values, width))
        self.backbone = Backbone(language)

    @torch.inference_mode()
    def prepare(self, max_context: int) -> None:
        """Compute the tables that follow from the weights; needed once before use."""
        count, size, _ = self.audio_embedding.shape
        self.backbone.prepare(max_context + 1, self.device, self.dtype)  # and the row that nobody reads
        self._codebook_rows = torch.arange(count, device=self.device) * size

    def each_codebook(self) -> list[nn.Module]:
        """Return the parts whose weights are read once for each codebook: those that `depth_int8` rounds."""
        raise NotImplementedError

    @property
    def width(self) -> int:
        """See `Network`."""
        return self.text_embedding.shape[1]

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
        return self.backbone.ops

    @property
    def finds_rows(self) -> bool:
        """See `Network`."""
        return self.backbone.finds_rows()

    def new_cache(self, batch: int, capacity: int) -> KVCache:
        """See `Network`."""
        return self.backbone.new_cache(batch, capacity)

    def embed(self, rows: Tensor, n_vq: int | None = None, used: Tensor | None = None) -> Tensor:
        """Sum the embeddings of rows.

        Args:
            rows: [B, T, 1 + Nq].
            n_vq: How many codebooks are embedded; None for all.
            used: [B, n_vq] bool: which of them count; None for all.

        Returns:
            [B, T, width].
        """
        audio_rows = rows[..., 1:] if n_vq is None else rows[..., 1 : 1 + n_vq]
        flat = audio_rows + self._codebook_rows[: audio_rows.shape[-1]]
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
        """See `Network`; all codebooks count, whatever `n_vq` and `used` say."""
        return self.backbone.forward(self.embed(rows), positions, cache, context, mask)
