"""Several turns in one voice and one manner."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable

from moss_stream.errors import StreamError
from moss_stream.stream import SynthesisStream
from moss_stream.text_source import Text
from moss_stream.voices import Reference

__all__ = ["Conversation"]

logger = logging.getLogger("moss_stream")

Hear = Callable[[str, Reference | None], Awaitable[None]]
"""Puts a turn of the other side into the context."""


class Conversation:
    """Keeps voice and history from turn to turn, so that the next answer goes on as the last one was spoken.

    What is remembered is bounded: by `SynthesisOptions.history_s` or, where the model remembers the dialogue,
    by its context, from which the oldest turns go. Of a turn that was cancelled, what was heard is
    remembered: whole sentences or, where the model remembers the dialogue, every frame.

    Made by `StreamingSynthesizer.conversation`.
    """

    def __init__(self, make: Callable[[Text | None], SynthesisStream], hear: Hear | None = None) -> None:
        self._make = make
        self._hear = hear
        self._last: SynthesisStream | None = None

    def stream(self, text: Text | None = None) -> SynthesisStream:
        """Speak the next turn; see `StreamingSynthesizer.stream`.

        Raises:
            StreamError: The last turn is not over: cancel it first.
            SynthesizerClosed: The synthesizer is closed.
        """
        if self._last is not None and not self._last.state.is_over:
            raise StreamError(
                "The last turn of this conversation is not over. Cancel it, or take its audio to the end."
            )
        if self._last is not None:
            self._last.forget_unheard()
        self._last = self._make(text)
        return self._last

    async def user_said(self, text: str, audio: Reference | None = None) -> None:
        """Put what the user said into the context of the turns to come; call it before `stream`.

        MOSS-TTS-Realtime was trained on dialogues in which it heard the user: with `audio` it answers in a
        fitting tone; a transcript alone works too. MossTTSLocal remembers only what it said itself: there
        this does nothing, and the first call logs a warning.

        Args:
            text: What was said, at most 10,000 characters.
            audio: The sound of it, at most 60 s: a path, the bytes of a sound file, or `Audio`.

        Raises:
            TextError: The text is too long.
            AudioError: The recording cannot be used.
            SynthesizerClosed: The synthesizer is closed.
        """
        if self._hear is not None:
            await self._hear(text, audio)
            return
        self._hear = _ignore
        logger.warning("This model does not take in what the user says; it remembers what it said itself.")


async def _ignore(text: str, audio: Reference | None) -> None:
    pass
