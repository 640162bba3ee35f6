"""From a message to the rows that a model reads: what the models have in common."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol

import numpy as np

from moss_stream.errors import TextError
from moss_stream.text.message import Codes, Message, Prompt, Rows

if TYPE_CHECKING:
    from moss_stream.families.tokenizer import ChatTokenizer

__all__ = ["AUDIO", "ChatFormat", "ChatPrompts"]

AUDIO = "<|audio|>"
"""Stands for a recording in a message."""
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


class ChatFormat(Protocol):
    """What a config.json says of rows and their marks."""

    @property
    def n_vq(self) -> int:
        """Codebooks of a row."""

    @property
    def audio_pad_code(self) -> int:
        """What stands in a row without audio."""

    @property
    def audio_start_token_id(self) -> int:
        """Text id before an audio."""

    @property
    def audio_end_token_id(self) -> int:
        """Text id after it."""

    @property
    def audio_user_slot_token_id(self) -> int:
        """Text id of a frame of somebody's voice."""


class ChatPrompts:
    """Builds rows in the format of the reference implementation's processors, which all of them share.

    Models differ in how the codes of an audio stand in rows, and in how their own message begins.

    Args:
        config: Of the checkpoint.
        tokenizer: Of the checkpoint.
    """

    def __init__(self, config: ChatFormat, tokenizer: ChatTokenizer) -> None:
        self._format = config
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
        rows = self._rows(user, references)
        opening = self._begin() if prefix is None else [self._header(), *self._go_on(prefix)]
        num_fixed = self._num_fixed(user, text, references, rows)
        return Prompt(message, prefix, np.concatenate([rows, *opening]), num_fixed)

    def tokens(self, text: str) -> list[int]:
        """Return the ids of a text alone."""
        return self._tokenizer.encode(self._clean(text))

    def build(self, message: Message, prefix: Codes | None = None) -> Rows:
        """Return the rows alone; see `prompt`."""
        return self.prompt(message, prefix).rows

    def _begin(self) -> list[Rows]:
        """Return the rows that the model's own message begins with, behind its header."""
        raise NotImplementedError

    def _go_on(self, prefix: Codes) -> list[Rows]:
        """Return the rows of an audio that the model goes on with."""
        raise NotImplementedError

    def _audio(self, codes: Codes) -> Rows:
        """Return the rows of somebody's voice: start, slots with codes, end."""
        raise NotImplementedError

    def _header(self) -> Rows:
        """Return the rows before the model's own message; the model closes it itself."""
        assistant = self._tokenizer.chat("assistant", AUDIO, add_generation_prompt=False)
        return self._pad(self._tokenizer.encode(assistant.partition(AUDIO)[0]))

    def _num_fixed(self, chat: str, text: str, references: Sequence[Codes], rows: Rows) -> int:
        """Return how many `rows` of a message come before its text.

        Another text may melt its first characters into the last of them: then they are not shared, no more.
        """
        start = chat.rfind(_TEXT_FIELD + text)
        if start < 0:  # a template that rewrites what it is given
            return 0
        head = self._rows(chat[: start + len(_TEXT_FIELD)], references)
        length = min(len(head), len(rows))
        differs = (rows[:length] != head[:length]).any(axis=1)
        return int(differs.argmax()) if differs.any() else length

    def _text(self, message: Message) -> str:
        text = self._cleaned_text(message.text)
        if not text or text.isspace():
            raise TextError("There is nothing to say: the text is empty. Give at least one word.")
        return text

    def _cleaned_text(self, text: str) -> str:
        """Return what the model is given of what is said."""
        return self._clean(text)

    def _user_content(self, message: Message, text: str) -> str:
        speakers = enumerate(message.reference or (), start=1)
        voices = [f"[S{number}]:\n{AUDIO}" for number, codes in speakers if codes is not None]
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
        while AUDIO in cleaned:
            cleaned = self._tokenizer.without_special_tokens(cleaned.replace(AUDIO, ""))
        if cleaned != text:
            logger.warning("Control tokens were taken out of a text of %d characters.", len(text))
        return cleaned

    def _rows(self, chat: str, audios: Sequence[Codes]) -> Rows:
        """Encode a message; each audio mark in it becomes the rows of an audio.

        Special tokens are hard borders for the tokenizer, so encoding the parts between the marks
        gives the same ids as encoding the whole.
        """
        first, *rest = chat.split(AUDIO)
        parts = [self._pad(self._tokenizer.encode(first))]
        for audio, text in zip(audios, rest, strict=True):
            parts += [self._audio(audio), self._pad(self._tokenizer.encode(text))]
        return np.concatenate(parts)

    def _pad(self, text_ids: Sequence[int]) -> Rows:
        """Return rows of text without audio."""
        rows = np.full((len(text_ids), 1 + self._format.n_vq), self._format.audio_pad_code, dtype=np.int64)
        rows[:, 0] = text_ids
        return rows
