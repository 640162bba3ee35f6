"""From a message to the rows that MossTTSDelay reads."""

from __future__ import annotations

from moss_stream.families.chat_prompts import ChatPrompts
from moss_stream.families.delay.config import DelayConfig
from moss_stream.families.delay.normalizer import normalized
from moss_stream.families.delay.pattern import delayed
from moss_stream.families.tokenizer import ChatTokenizer
from moss_stream.text.message import Codes, Message, Rows

__all__ = ["DelayPrompts"]


class DelayPrompts(ChatPrompts):
    """Builds rows in the format of the reference implementation's processor.

    What is said is cleaned as the model was trained (see `normalized`), codes stand in the delay pattern, and
    what the model goes on with ends inside of it: it makes the rest of the last frames again.

    Args:
        config: Of the checkpoint.
        tokenizer: Of the checkpoint.
    """

    def __init__(self, config: DelayConfig, tokenizer: ChatTokenizer) -> None:
        super().__init__(config, tokenizer)
        self._delay = config

    def tokens(self, text: str) -> list[int]:
        """Return the ids of a text alone."""
        return super().tokens(normalized(text))

    def _text(self, message: Message) -> str:
        """Return what is said; a sound has no words."""
        if not message.text and message.ambient_sound:
            return "None"
        return super()._text(message)

    def _cleaned_text(self, text: str) -> str:
        return normalized(super()._cleaned_text(text))

    def _begin(self) -> list[Rows]:
        """Let the model itself say where its audio starts."""
        return []

    def _go_on(self, prefix: Codes) -> list[Rows]:
        """Return the rows of audio that the model goes on with; one for each frame of it."""
        c = self._delay
        rows = self._pad([c.audio_start_token_id, *[c.audio_assistant_gen_slot_token_id] * len(prefix)])
        rows[1:, 1:] = delayed(prefix, c.audio_pad_code)[: len(prefix)]
        return [rows]

    def _audio(self, codes: Codes) -> Rows:
        """Return the rows of a voice: start, the delay pattern, end."""
        c = self._delay
        cells = delayed(codes, c.audio_pad_code) if len(codes) else codes
        slots = [c.audio_user_slot_token_id] * len(cells)
        rows = self._pad([c.audio_start_token_id, *slots, c.audio_end_token_id])
        rows[1:-1, 1:] = cells
        return rows
