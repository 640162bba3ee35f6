"""MossTTSLocal v1.5: embeddings, backbone and depth transformer, one frame at a time."""

from __future__ import annotations

from typing import cast

import torch
from torch import Tensor, nn

from moss_stream.families.local_v15.config import LocalV15Config
from moss_stream.families.local_v15.depth import LocalV15Depth
from moss_stream.families.network import NetworkScratch, RowFormat
from moss_stream.families.row_network import RowNetwork
from moss_stream.nn.cache import KVCache
from moss_stream.nn.sampling import Sampler

__all__ = ["MossTTSLocalV15", "text_choices"]


def text_choices(config: LocalV15Config) -> tuple[int, int]:
    """Return the text ids that the rows of the text head stand for: go on, and end."""
    return config.audio_assistant_gen_slot_token_id, config.audio_end_token_id


class MossTTSLocalV15(RowNetwork):
    """Implements `moss_stream.families.network.Network`; rows are [text id, code 0, ..., code Nq - 1].

    All codebooks are always generated: the model was trained with all of them in every row. The pad has no
    embedding, which is one of zeros here.
    """

    def __init__(self, config: LocalV15Config) -> None:
        super().__init__(config.language_config, config.n_vq, config.audio_vocab_size + 1)
        self.config = config
        self.depth = LocalV15Depth(config)

    @torch.inference_mode()
    def prepare(self, max_context: int) -> None:
        """See `RowNetwork`."""
        super().prepare(max_context)
        self.depth.prepare(self.audio_embedding)
        self._text_ids = torch.tensor(text_choices(self.config), device=self.device)

    def each_codebook(self) -> list[nn.Module]:
        """See `RowNetwork`."""
        return [self.depth.layers, self.depth.heads]

    @property
    def rows(self) -> RowFormat:
        """See `Network`."""
        c = self.config
        return RowFormat(
            num_codebooks=c.n_vq,
            codebook_size=c.audio_vocab_size,
            vocab_size=c.audio_vocab_size + 1,
            pad_code=c.audio_pad_code,
            end_channel=0,
            end_id=c.audio_end_token_id,
            max_rows=c.language_config.max_position_embeddings,
            penalises_greedy=True,
            penalises_prompt=False,
            needs_all=True,
        )

    def new_scratch(self, batch: int) -> KVCache:
        """See `Network`: the depth transformer's cache."""
        return self.depth.new_cache(batch)

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
        choice = self.depth.row(hidden, cast(KVCache, scratch), sampler)
        out[:, 0] = self._text_ids[choice]
        out[:, 1:] = sampler.sampled[: len(out), 1:]
