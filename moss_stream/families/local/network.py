"""MossTTSLocal v1.0: embeddings, backbone and depth transformer, one frame at a time."""

from __future__ import annotations

from typing import Literal, cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from moss_stream.families.local.config import LocalConfig
from moss_stream.families.local.depth import LocalDepth
from moss_stream.families.network import NetworkScratch, RowFormat
from moss_stream.families.row_network import RowNetwork
from moss_stream.nn.cache import KVCache
from moss_stream.nn.sampling import Sampler

__all__ = ["MossTTSLocal", "text_rows"]


def _pair(config: LocalConfig) -> list[int]:
    """Return the two ids that the text channel chooses between: go on, and end."""
    return sorted([config.audio_assistant_gen_slot_token_id, config.audio_end_token_id])


def text_rows(config: LocalConfig, text_head: Literal["pair", "full"]) -> list[int] | None:
    """Return the rows of the text head to load; None for all."""
    return _pair(config) if text_head == "pair" else None


class MossTTSLocal(RowNetwork):
    """Implements `moss_stream.families.network.Network`; rows are [text id, code 0, ..., code Nq - 1]."""

    def __init__(self, config: LocalConfig, text_head: Literal["pair", "full"]) -> None:
        super().__init__(config.language_config, config.n_vq, config.audio_vocab_size + 1)
        self.config = config
        self.pair = _pair(config)
        self.text_rows = text_rows(config, text_head)
        self.depth = LocalDepth(config, self.text_rows)

    @torch.inference_mode()
    def prepare(self, max_context: int) -> None:
        """See `RowNetwork`."""
        super().prepare(max_context)
        self.depth.tabulate(self.audio_embedding)
        self._text_ids = torch.tensor(self.pair, device=self.device)

    def each_codebook(self) -> list[nn.Module]:
        """See `RowNetwork`; the input MLP is a table by now."""
        return [self.depth.layers, self.depth.out_mlps, self.depth.heads]

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

    def new_scratch(self, batch: int) -> KVCache:
        """See `Network`: the depth transformer's cache."""
        return self.depth.new_cache(batch)

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
        """See `Network`."""
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
