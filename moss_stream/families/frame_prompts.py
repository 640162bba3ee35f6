"""From a message to rows of which each holds a whole frame."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from moss_stream.families.chat_prompts import ChatFormat, ChatPrompts
from moss_stream.text.message import Codes, Rows

if TYPE_CHECKING:
    from moss_stream.families.tokenizer import ChatTokenizer

__all__ = ["FrameFormat", "FramePrompts"]


class FrameFormat(ChatFormat, Protocol):
    """What a config.json says of rows and their marks."""

    @property
    def audio_assistant_gen_slot_token_id(self) -> int:
        """Text id of a frame of the model's own."""


class FramePrompts(ChatPrompts):
    """Builds rows in the format of the reference implementation's processor for MossTTSLocal.

    Args:
        config: Of the checkpoint.
        tokenizer: Of the checkpoint.
    """

    def __init__(self, config: FrameFormat, tokenizer: ChatTokenizer) -> None:
        super().__init__(config, tokenizer)
        self._frames = config

    def _begin(self) -> list[Rows]:
        """Begin an audio; the model does not choose to."""
        return [self._pad([self._frames.audio_start_token_id])]

    def _go_on(self, prefix: Codes) -> list[Rows]:
        """Return an audio without its end."""
        return [self._framed(prefix, self._frames.audio_assistant_gen_slot_token_id)[:-1]]

    def _audio(self, codes: Codes) -> Rows:
        """Return the rows of a voice."""
        return self._framed(codes, self._frames.audio_user_slot_token_id)

    def _framed(self, codes: Codes, slot: int) -> Rows:
        """Return the rows of an audio: start, one slot with codes for each frame, end."""
        c = self._frames
        rows = self._pad([c.audio_start_token_id, *[slot] * len(codes), c.audio_end_token_id])
        rows[1:-1, 1:] = codes
        return rows
