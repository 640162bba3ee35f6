"""The way of the text, from what a caller writes to the engine's thread."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable

from moss_stream.engine.utterance import SpeechJob
from moss_stream.errors import StreamEnded, TextError
from moss_stream.text_source import MEANT_FOR_THE_LOOP, Text, close_source, source_of, why_it_ended

__all__ = ["Feed", "draw"]

MAX_WAITING = 1_000
"""Characters that wait to be spoken before no more are taken."""
PIECE = 500
"""Characters that are given at a time, so that reading a long text holds up no other stream."""


class Feed:
    """Gives text to a job, no faster than it is spoken.

    Args:
        wake: Makes the engine look.
    """

    def __init__(self, wake: Callable[[], None]) -> None:
        self.wake = wake
        self._room = asyncio.Event()
        self._job: SpeechJob | None = None
        self.has_ended = False
        self._has_text = False

    def attach(self, job: SpeechJob) -> None:
        """Say where the text goes."""
        self._job = job

    def taken(self) -> None:
        """Note that some of the text was taken to be spoken."""
        self._room.set()

    def close(self) -> None:
        """Take no more text; whoever waits to give some is told so."""
        self.has_ended = True
        self._room.set()

    async def write(self, text: object) -> None:
        """Give the next piece of text.

        Raises:
            StreamEnded: The feed was closed, or the stream ended, while it waited.
            TextError: `text` is not a str; or there is too much, which ends the stream with the same error.
        """
        if not isinstance(text, str):
            raise TextError(
                f"The text gave a {type(text).__name__} where str was expected. "
                "Yield the text of each delta, for example `event.delta` or `choice.delta.content or ''`."
            )
        self._has_text = self._has_text or bool(text)
        for start in range(0, len(text), PIECE):
            piece = text[start : start + PIECE]
            job = await self._with_room()
            job.feed(piece)
            self.wake()

    async def flush(self) -> None:
        """Let what was given be spoken now."""
        job = await self._with_room()
        job.flush()
        self.wake()

    async def end(self, text: str = "") -> None:
        """Say that no more text comes than `text`. Raises what `write` raises."""
        assert self._job is not None
        if not self._has_text:
            self._job.whole()
        await self.write(text)
        self.has_ended = True
        self._job.end()
        self.wake()

    async def _with_room(self) -> SpeechJob:
        assert self._job is not None
        while self._job.num_waiting >= MAX_WAITING and not self._job.is_over and not self.has_ended:
            self._room.clear()
            await self._room.wait()
        if isinstance(self._job.failure, TextError):  # about what was given
            raise self._job.failure
        if self.has_ended or self._job.is_over:
            raise StreamEnded(
                "This stream takes no more text: it is over. Make a new stream for the next turn."
            )
        return self._job


async def draw(text: Text, feed: Feed, job: SpeechJob) -> None:
    """Give all of a text; however its source ends, the stream ends with it.

    The stream is told first, and the source closed then: closing may take any time.
    """
    source: AsyncIterator[object] | None = None
    try:
        if isinstance(text, list | tuple) and all(isinstance(delta, str) for delta in text):
            text = "".join(text)  # it is all there, and so is cut like a text that is given whole
        if isinstance(text, str):
            await feed.end(text)
        else:
            source = source_of(text)
            async for delta in source:
                await feed.write(delta)
            await feed.end()
    except BaseException as error:
        job.break_off(why_it_ended(error))  # changes nothing about a stream that is over already
        feed.wake()
        if isinstance(error, MEANT_FOR_THE_LOOP):
            raise
    finally:
        await close_source(source)
