"""From a dialogue to the rows that MOSS-TTS-Realtime reads before it speaks."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from moss_stream.errors import TextError
from moss_stream.families.realtime.config import OPENING
from moss_stream.text.message import Codes, Heard, Message, Prompt, Rows, Said

if TYPE_CHECKING:
    from moss_stream.families.realtime.config import RealtimeConfig
    from moss_stream.families.tokenizer import ChatTokenizer

__all__ = ["RealtimePrompts"]

# The line ends in a space: so the model was trained.
_SYSTEM = (
    "<|im_start|>system\n"
    "You are a highly expressive text-to-speech (TTS) engine developed by Mosi Intelligence. \n"
    "You possess natural language understanding, emotional modeling, and multi-style speech generation "
    "capabilities, allowing you to generate the corresponding speech based on the text given in the "
    "assistant.<|im_end|>\n"
)
_VOICE = (
    "<|im_start|>context\nThe assistant section should be synthesized using the following voice timbre:",
    "<|im_end|>\n",
)
_USER = "<|im_end|>\n<|im_start|>user\n"
_ASSISTANT = "<|im_end|>\n<|im_start|>assistant\n"

logger = logging.getLogger("moss_stream.text")


class RealtimePrompts:
    """Builds rows in the format of the reference implementation's processor.

    A turn of the other side is its text and, `OPENING` rows behind, the codes of its audio. The model was
    trained on turns with both; of one that is only text, the text alone is laid out.

    Args:
        config: Of the checkpoint.
        tokenizer: Of the checkpoint.
        max_rows: Of a prompt. A dialogue that needs more loses its oldest turns, down to half of the room
            behind the voice, so that this happens seldom: all that is kept has to be run again.
    """

    def __init__(self, config: RealtimeConfig, tokenizer: ChatTokenizer, max_rows: int) -> None:
        self._config = config
        self._tokenizer = tokenizer
        self._max_rows = max_rows

    def tokens(self, text: str) -> list[int]:
        """Return the ids of a piece of text that is read while it is spoken."""
        return self._tokenizer.encode(self._clean(text))

    def prompt(self, message: Message, prefix: Codes | None = None) -> Prompt:
        """Return the rows after which the model reads the text of its answer, and speaks.

        Args:
            message: The voice, and what was said until now.
            prefix: Nothing: what was spoken is part of the dialogue.

        Raises:
            TextError: Voice and context have no room for an answer.
        """
        voices = [codes for codes in message.reference or () if codes is not None]
        system = self._system(voices[0] if voices else None)
        turns = [self._turn(turn) for turn in message.dialogue]
        header = self._pad(self._tokenizer.encode(_ASSISTANT))
        forgotten = self._num_forgotten(len(system) + len(header), [len(turn) for turn in turns])
        rows = np.concatenate([system, *turns[forgotten:], header])
        return Prompt(message, None, rows, len(system), forgotten)

    def _num_forgotten(self, fixed: int, lengths: Sequence[int]) -> int:
        """Return how many turns are left out, from the oldest on."""
        room = self._max_rows - fixed
        if room < 0:
            raise TextError(
                f"The voice needs {fixed} rows of context, and there are {self._max_rows} for voice and "
                "dialogue. Give a shorter recording, or load with a larger max_context."
            )
        if sum(lengths) <= room:
            return 0
        count = 0
        while sum(lengths[count:]) > room // 2:
            count += 1
        logger.info("The context is full: the %d oldest turns of the dialogue are forgotten.", count)
        return count

    def _system(self, voice: Codes | None) -> Rows:
        """Return the rows that every prompt begins with."""
        if voice is None:
            return self._pad(self._tokenizer.encode(_SYSTEM))
        before, after = (self._pad(self._tokenizer.encode(text)) for text in (_SYSTEM + _VOICE[0], _VOICE[1]))
        audio = self._pad([self._config.reference_audio_pad] * len(voice))
        audio[:, 1:] = voice
        return np.concatenate([before, audio, after])

    def _turn(self, turn: Heard | Said) -> Rows:
        return self._heard(turn) if isinstance(turn, Heard) else self._said(turn)

    def _heard(self, turn: Heard) -> Rows:
        """Return the rows of what the other side said.

        A text of fewer tokens than `OPENING` ends where the audio begins.
        """
        c, text = self._config, self._tokenizer.encode(self._clean(turn.text).strip())
        header = self._tokenizer.encode(_USER)
        if turn.codes is None or not len(turn.codes):
            return self._pad([*header, *text])
        lead, frames = min(OPENING, len(text)), len(turn.codes)
        pads = max(0, lead + frames + 1 - len(text))
        rows = self._pad([*header, *text, *[c.text_pad] * pads])
        start = len(header) + lead
        rows[start : start + frames, 1:] = turn.codes
        rows[start - 1, 1], rows[start + frames, 1] = c.bos_code, c.eos_code
        return rows

    def _said(self, turn: Said) -> Rows:
        """Return the rows of what the model said: they are those that were in its cache."""
        c = self._config
        text = [token for piece in turn.pieces for token in self.tokens(piece)]
        lead, frames = min(OPENING, len(text)), len(turn.codes)
        spoken = text[lead : lead + frames]
        header = self._tokenizer.encode(_ASSISTANT)
        rows = self._pad([*header, *text[:lead], *spoken, *[c.text_pad] * (frames - len(spoken))])
        rows[len(rows) - frames :, 1:] = turn.codes
        rows[len(rows) - frames - 1, 1] = c.bos_code
        return rows

    def _clean(self, text: str) -> str:
        """Take out what would be read as a control token; a leaking LLM must not steer the prompt."""
        cleaned = self._tokenizer.without_special_tokens(text)
        if cleaned != text:
            logger.warning("Control tokens were taken out of a text of %d characters.", len(text))
        return cleaned

    def _pad(self, text_ids: Sequence[int]) -> Rows:
        """Return rows of text without audio."""
        rows = np.full((len(text_ids), 1 + self._config.rvq), self._config.audio_pad_token, dtype=np.int64)
        rows[:, 0] = text_ids
        return rows
