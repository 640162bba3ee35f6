"""From a message to the rows that MossTTSLocal v1.5 reads."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from moss_stream.families.frame_prompts import FramePrompts
from moss_stream.families.local_v15.config import LocalV15Config
from moss_stream.families.tokenizer import ChatTokenizer
from moss_stream.text.message import Codes, Message, Prompt, Rows

__all__ = ["LocalV15Prompts"]

_FIELDS = {
    "Instruction": "instruction",
    "Tokens": "tokens",
    "Quality": "quality",
    "Sound Event": "sound_event",
    "Ambient Sound": "ambient_sound",
    "Language": "language",
}
"""What stands between the references and the text, in this order."""


class LocalV15Prompts(FramePrompts):
    """Builds rows in the format of the reference implementation's processor.

    It tokenizes the text apart from what stands around it, names no speakers before their references, and
    leaves references out where the model goes on with its own audio, which has the voice.

    Args:
        config: Of the checkpoint.
        tokenizer: Of the checkpoint.
    """

    def __init__(self, config: LocalV15Config, tokenizer: ChatTokenizer) -> None:
        super().__init__(config, tokenizer)
        self._config = config

    def prompt(self, message: Message, prefix: Codes | None = None) -> Prompt:
        """See `ChatPrompts`."""
        text = self._text(message)
        references = [codes for codes in message.reference or () if codes is not None and prefix is None]
        before = [*self._user_header(), *self._references(references), self._encoded(self._fields(message))]
        opening = self._begin() if prefix is None else self._go_on(prefix)
        rows = [*before, self._encoded(text), *self._assistant_header(), *opening]
        return Prompt(message, prefix, np.concatenate(rows), sum(map(len, before)))

    def _user_header(self) -> list[Rows]:
        start = self._pad([self._config.im_start_token_id])
        return [start, self._encoded("user\n"), self._encoded("<user_inst>\n- Reference(s):\n")]

    def _references(self, references: Sequence[Codes]) -> list[Rows]:
        return [self._audio(codes) for codes in references] or [self._encoded("None")]

    def _fields(self, message: Message) -> str:
        values = ((title, getattr(message, name)) for title, name in _FIELDS.items())
        lines = [f"\n- {title}:\n{self._field(value)}" for title, value in values]
        return "".join(lines) + "\n- Text:\n"

    def _field(self, value: object) -> str:
        """Return a field's value; an empty one is none."""
        return "None" if value is None else self._clean(str(value)).strip() or "None"

    def _assistant_header(self) -> list[Rows]:
        c = self._config
        return [
            self._encoded("\n</user_inst>"),
            self._pad([c.im_end_token_id]),
            self._encoded("\n"),
            self._pad([c.im_start_token_id]),
            self._encoded("assistant\n"),
        ]

    def _encoded(self, text: str) -> Rows:
        return self._pad(self._tokenizer.encode(text))
