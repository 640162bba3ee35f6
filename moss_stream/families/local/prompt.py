"""From a message to the rows that MossTTSLocal reads."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from moss_stream.errors import TextError
from moss_stream.text.message import Codes, Message, Prompt, Rows

if TYPE_CHECKING:
    from moss_stream.families.local.config import LocalConfig
    from moss_stream.families.tokenizer import ChatTokenizer

__all__ = ["LocalPrompts"]

_AUDIO = "<|audio|>"
_TEXT_FIELD = "- Text:\n"
_TEMPLATE = """\
<user_inst>
- Reference(s):
{reference}
- Instruction:
{instruction}
- Tokens:
{tokens}
- Quality:
{quality}
- Sound Event:
{sound_event}
- Ambient Sound:
{ambient_sound}
- Language:
{language}
- Text:
{text}
</user_inst>"""

logger = logging.getLogger("moss_stream.text")


class LocalPrompts:
    """Builds rows in the format of the reference implementation's processor.

    Args:
        config: Of the checkpoint.
        tokenizer: Of the checkpoint.
    """

    def __init__(self, config: LocalConfig, tokenizer: ChatTokenizer) -> None:
        self._config = config
        self._tokenizer = tokenizer

    def prompt(self, message: Message, prefix: Codes | None = None) -> Prompt:
        """Return the rows after which the model speaks, and how many of them do not depend on the text.

        Args:
            message: What to say, and how.
            prefix: Codes of audio that the text of the message begins with, [T, Nq]; the model goes
                on after it (continuation).

        Raises:
            TextError: The text has nothing to say.
        """
        references = [codes for codes in message.reference or () if codes is not None]
        text = self._text(message)
        content = self._user_content(message, text)
        user = self._tokenizer.chat("user", content, add_generation_prompt=prefix is None)
        rows = self._rows(user, references, self._config.audio_user_slot_token_id)
        num_fixed = self._num_fixed(user, text, references, rows)
        return Prompt(message, prefix, np.concatenate([rows, *self._opening(prefix)]), num_fixed)

    def tokens(self, text: str) -> list[int]:
        """Return the ids of a text alone."""
        return self._tokenizer.encode(self._clean(text))

    def build(self, message: Message, prefix: Codes | None = None) -> Rows:
        """Return the rows alone; see `prompt`."""
        return self.prompt(message, prefix).rows

    def _opening(self, prefix: Codes | None) -> list[Rows]:
        """Return the rows that the model's own message begins with."""
        if prefix is None:
            return [self._pad([self._config.audio_start_token_id])]
        assistant = self._tokenizer.chat("assistant", _AUDIO, add_generation_prompt=False)
        opening = assistant.partition(_AUDIO)[0]  # the model closes the message itself
        return [self._pad(self._tokenizer.encode(opening)), self._audio(prefix, self._slot)[:-1]]

    def _num_fixed(self, chat: str, text: str, references: Sequence[Codes], rows: Rows) -> int:
        """Return how many `rows` of a message come before its text.

        Another text may melt its first characters into the last of them: then they are not shared, no more.
        """
        start = chat.rfind(_TEXT_FIELD + text)
        if start < 0:  # a template that rewrites what it is given
            return 0
        head = self._rows(chat[: start + len(_TEXT_FIELD)], references, self._config.audio_user_slot_token_id)
        length = min(len(head), len(rows))
        differs = (rows[:length] != head[:length]).any(axis=1)
        return int(differs.argmax()) if differs.any() else length

    def _text(self, message: Message) -> str:
        text = self._clean(message.text)
        if not text or text.isspace():
            raise TextError("There is nothing to say: the text is empty. Give at least one word.")
        return text

    def _user_content(self, message: Message, text: str) -> str:
        speakers = enumerate(message.reference or (), start=1)
        voices = [f"[S{number}]:\n{_AUDIO}" for number, codes in speakers if codes is not None]
        optional = {
            name: value if value is None else self._clean(value)
            for name in ("instruction", "quality", "sound_event", "ambient_sound", "language")
            for value in [getattr(message, name)]
        }
        reference = None if message.reference is None else "\n".join(voices)
        return _TEMPLATE.format(reference=reference, tokens=message.tokens, text=text, **optional)

    def _clean(self, text: str) -> str:
        """Take out what would be read as a control token; a leaking LLM must not steer the prompt."""
        cleaned = self._tokenizer.without_special_tokens(text)
        while _AUDIO in cleaned:
            cleaned = self._tokenizer.without_special_tokens(cleaned.replace(_AUDIO, ""))
        if cleaned != text:
            logger.warning("Control tokens were taken out of a text of %d characters.", len(text))
        return cleaned

    @property
    def _slot(self) -> int:
        return self._config.audio_assistant_gen_slot_token_id

    def _rows(self, chat: str, audios: Sequence[Codes], slot: int) -> Rows:
        """Encode a message; each audio mark in it becomes the rows of an audio.

        Special tokens are hard borders for the tokenizer, so encoding the parts between the marks
        gives the same ids as encoding the whole.
        """
        first, *rest = chat.split(_AUDIO)
        parts = [self._pad(self._tokenizer.encode(first))]
        for audio, text in zip(audios, rest, strict=True):
            parts += [self._audio(audio, slot), self._pad(self._tokenizer.encode(text))]
        return np.concatenate(parts)

    def _audio(self, codes: Codes, slot: int) -> Rows:
        """Return the rows of an audio: start, one slot with codes for each frame, end."""
        c = self._config
        rows = self._pad([c.audio_start_token_id, *[slot] * len(codes), c.audio_end_token_id])
        rows[1:-1, 1:] = codes
        return rows

    def _pad(self, text_ids: Sequence[int]) -> Rows:
        """Return rows of text without audio."""
        rows = np.full((len(text_ids), 1 + self._config.n_vq), self._config.audio_pad_code, dtype=np.int64)
        rows[:, 0] = text_ids
        return rows
