"""MossTTSDelay: embeddings, backbone, and a head for each channel, one row at a time."""

from __future__ import annotations

from typing import cast

import torch
from torch import Tensor, nn

from moss_stream.families.delay.config import DelayConfig
from moss_stream.families.delay.pattern import DelayPattern
from moss_stream.families.network import DelayFormat, NetworkScratch, RowFormat
from moss_stream.families.row_network import RowNetwork
from moss_stream.nn.sampling import Sampler

__all__ = ["MossTTSDelay"]


class MossTTSDelay(RowNetwork):
    """Implements `moss_stream.families.network.Network`; rows are [text id, code 0, ..., code Nq - 1].

    There is no depth transformer: all channels of a row are sampled from one hidden state, and what makes
    them agree is that the codebooks of a frame stand in different rows.
    """

    def __init__(self, config: DelayConfig) -> None:
        super().__init__(config.language_config, config.n_vq, config.audio_vocab_size + 1)
        self.config = config
        width, vocab = config.language_config.hidden_size, config.language_config.vocab_size
        self.pair = sorted(
            [config.audio_assistant_gen_slot_token_id, config.audio_assistant_delay_slot_token_id]
        )
        self.text_head = nn.Linear(width, vocab, bias=False)
        self.slot_head = nn.Linear(width, len(self.pair), bias=False)
        self.code_heads = nn.Linear(width, config.n_vq * (config.audio_vocab_size + 1), bias=False)

    @torch.inference_mode()
    def prepare(self, max_context: int) -> None:
        """See `RowNetwork`."""
        super().prepare(max_context)
        device, c = self.device, self.config
        self._pair = torch.tensor(self.pair, device=device)
        self._not_outside = torch.tensor([c.pad_token_id, *self.pair, c.audio_end_token_id], device=device)

    def each_codebook(self) -> list[nn.Module]:
        """See `RowNetwork`: the heads of all codebooks are one matrix, which is read once a row."""
        return []

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
            end_id=c.im_end_token_id,
            max_rows=c.language_config.max_position_embeddings,
            penalises_greedy=True,
            delay=DelayFormat(
                c.audio_start_token_id,
                c.audio_assistant_gen_slot_token_id,
                c.audio_assistant_delay_slot_token_id,
            ),
        )

    def new_scratch(self, batch: int) -> DelayPattern:
        """See `Network`: where each sequence is in its diagonals."""
        return DelayPattern.new(self.config, batch, self.device)

    def next_row(
        self,
        hidden: Tensor,
        n_vq: int,
        scratch: NetworkScratch,
        sampler: Sampler,
        out: Tensor,
        is_outside: bool = False,
    ) -> None:
        """See `Network`; all codebooks are generated, each in its place of the pattern."""
        pattern = cast(DelayPattern, scratch)
        ids = self._slots(hidden, pattern, sampler)
        if is_outside:
            ids = torch.where(pattern.is_audio, ids, self._words(hidden, pattern, sampler))
        ids, has_code = pattern.due(ids), pattern.has_code()
        logits = self.ops.project(hidden[:, None], self.code_heads)[:, 0]
        codes = sampler.codes(logits.view(len(out), self.config.n_vq, -1), has_code)
        out[:, 0] = ids
        out[:, 1:] = torch.where(has_code, codes, self.config.audio_pad_code)
        pattern.advance(ids, sampler.active(len(out)))

    def _slots(self, hidden: Tensor, pattern: DelayPattern, sampler: Sampler) -> Tensor:
        """Sample text ids [B] within audio: one more frame, or the first row of the end."""
        logits = self.ops.project(hidden[:, None], self.slot_head)[:, 0]
        is_delay = self._pair == self.config.audio_assistant_delay_slot_token_id
        barred = pattern.bars_delay_slot()[:, None] & is_delay
        return self._pair[sampler.text(logits.float().masked_fill(barred, -torch.inf))]

    def _words(self, hidden: Tensor, pattern: DelayPattern, sampler: Sampler) -> Tensor:
        """Sample text ids [B] outside audio: words, the start of an audio, or the end."""
        logits = self.ops.project(hidden[:, None], self.text_head)[:, 0].float()
        logits.index_fill_(1, self._not_outside, -torch.inf)
        end = self.config.im_end_token_id
        logits[:, end].masked_fill_(pattern.bars_end(), -torch.inf)
        return sampler.text(logits)
