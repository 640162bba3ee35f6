"""MOSS-TTS-Realtime: embeddings, backbone and depth transformer, one frame at a time."""

from __future__ import annotations

from typing import cast

import torch
from torch import Tensor, nn

from moss_stream.families.network import NetworkScratch, RowFormat, TextFeed
from moss_stream.families.realtime.config import OPENING, WINDOW, RealtimeConfig
from moss_stream.families.realtime.depth import RealtimeDepth
from moss_stream.families.row_network import RowNetwork
from moss_stream.nn.cache import KVCache
from moss_stream.nn.sampling import Sampler

__all__ = ["MossTTSRealtime"]


class MossTTSRealtime(RowNetwork):
    """Implements `moss_stream.families.network.Network`; rows are [text id, code 0, ..., code Nq - 1].

    Nothing samples the text channel: the text id of each row is given. All codebooks are always generated:
    the model was trained with all of them in every row, and has not learned to do without the finer ones.
    """

    def __init__(self, config: RealtimeConfig) -> None:
        super().__init__(config.language_config, config.rvq, config.audio_vocab_size)
        self.config = config
        self.depth = RealtimeDepth(config)

    @torch.inference_mode()
    def prepare(self, max_context: int) -> None:
        """See `RowNetwork`."""
        super().prepare(max_context)
        self.depth.prepare()

    def each_codebook(self) -> list[nn.Module]:
        """See `RowNetwork`."""
        return [self.depth.layers, self.depth.heads]

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
        self.depth.codes(hidden, cast(KVCache, scratch), sampler)
        out[:, 1:] = sampler.sampled[: len(out), 1:]
