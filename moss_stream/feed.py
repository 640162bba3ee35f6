"""The way of the text, from what a caller writes to the engine's thread."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from moss_stream.engine.job import SpeechJob
from moss_stream.errors import StreamEnded, TextError
from moss_stream.text.normalizer import Normalizer
from moss_stream.text_source import Text, deltas, was_cancelled, why_it_ended

__all__ = ["Feed", "draw"]

MAX_WAITING = 1_000
"""Characters that wait to be spoken before no more are taken."""
MAX_SILENT = 1_000_000
"""Characters in a row of which none is read out: more than any model thinks or any block of code holds."""
MAX_WHOLE = 100_000
"""Characters that are kept to be spoken as one segment; no context holds as many."""
PIECE = 500
"""Characters that are normalised at a time, so that a long text does not hold up the event loop."""


class Feed:
    """Normalises text and gives it to a job, no faster than it is spoken.

    Args:
        wake: Makes the engine look.
    """

    def __init__(self, wake: Callable[[], None]) -> None:
        self.wake = wake
        self._normalizer = Normalizer()
        self._room = asyncio.Event()
        self._job: SpeechJob | None = None
        self._num_silent = self._num_read = 0
        self.has_ended = False

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
            StreamEnded: The feed was closed while it waited.
            TextError: `text` is not a str; or there is too much, which ends the stream with the same error.
        """
        if not isinstance(text, str):
            raise TextError(
                f"The text gave a {type(text).__name__} where str was expected. "
                "Yield the text of each delta, for example `event.delta` or `choice.delta.content or ''`."
            )
        for start in range(0, len(text), PIECE):
            piece = text[start : start + PIECE]
            job = await self._with_room()
            readable = self._normalizer.feed(piece)
            self._count(job, len(piece), readable.text)
            job.feed(piece, readable)
            self.wake()
            if not readable.text:  # nothing to wait for: others are let in between
                await asyncio.sleep(0)

    async def flush(self) -> None:
        """Let what was given be spoken now."""
        job = await self._with_room()
        job.feed("", self._normalizer.flush())
        job.flush()
        self.wake()

    async def end(self) -> None:
        """Say that no more text comes."""
        self.has_ended = True
        assert self._job is not None
        self._job.feed("", self._normalizer.end())
        self._job.end()
        self.wake()

    def _count(self, job: SpeechJob, num_written: int, read: str) -> None:
        """Hold to the limits what cannot wait for room, since none of it is taken to be spoken."""
        self._num_silent = 0 if read.strip() else self._num_silent + num_written
        self._num_read += len(read)
        if self._num_silent > MAX_SILENT:
            error = TextError(
                f"Nothing of the last {MAX_SILENT:,} characters is read out. Is a code block or a tag never "
                "closed? Leave out what is not for the listener, or make a new stream."
            )
        elif job.options.tokens is not None and self._num_read > MAX_WHOLE:
            error = TextError(
                f"With `tokens` a text is spoken as one segment; this one has over {MAX_WHOLE:,} characters. "
                "Leave `tokens` out, or make a stream for each part."
            )
        else:
            return
        job.break_off(error)
        self.wake()
        raise error

    async def _with_room(self) -> SpeechJob:
        assert self._job is not None
        while self._job.num_waiting >= MAX_WAITING and not self._job.is_over and not self.has_ended:
            self._room.clear()
            await self._room.wait()
        if self.has_ended:
            raise StreamEnded(
                "This stream takes no more text: it is over. Make a new stream for the next turn."
            )
        return self._job


async def draw(text: Text, feed: Feed, job: SpeechJob) -> None:
    """Give all of a text; however its source ends, the stream ends with it."""
    try:
        async for delta in deltas(text):
            await feed.write(delta)
        await feed.end()
    except StreamEnded:
        pass  # it was cancelled
    except BaseException as error:
        if was_cancelled(error):
            raise
        job.break_off(why_it_ended(error))
        feed.wake()
        if isinstance(error, KeyboardInterrupt | SystemExit):
            raise
