"""From a message to the rows that MossTTSLocal reads."""

from __future__ import annotations

from moss_stream.families.chat_prompts import ChatPrompts
from moss_stream.families.local.config import LocalConfig
from moss_stream.families.tokenizer import ChatTokenizer
from moss_stream.text.message import Codes, Rows

__all__ = ["LocalPrompts"]


class LocalPrompts(ChatPrompts):
    """Builds rows in the format of the reference implementation's processor: a row is a frame.

    Args:
        config: Of the checkpoint.
        tokenizer: Of the checkpoint.
    """

    def __init__(self, config: LocalConfig, tokenizer: ChatTokenizer) -> None:
        super().__init__(config, tokenizer)
        self._local = config

    def _begin(self) -> list[Rows]:
        """Begin an audio; the model does not choose to."""
        return [self._pad([self._local.audio_start_token_id])]

    def _go_on(self, prefix: Codes) -> list[Rows]:
        """Return an audio without its end."""
        return [self._framed(prefix, self._local.audio_assistant_gen_slot_token_id)[:-1]]

    def _audio(self, codes: Codes) -> Rows:
        """Return the rows of a voice."""
        return self._framed(codes, self._local.audio_user_slot_token_id)

    def _framed(self, codes: Codes, slot: int) -> Rows:
        """Return the rows of an audio: start, one slot with codes for each frame, end."""
        c = self._local
        rows = self._pad([c.audio_start_token_id, *[slot] * len(codes), c.audio_end_token_id])
        rows[1:-1, 1:] = codes
        return rows
