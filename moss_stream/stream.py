"""The stream a caller holds: text goes in, chunks come out."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from types import TracebackType
from typing import Self

from moss_stream.audio import AudioChunk
from moss_stream.cast import Cast
from moss_stream.config import SynthesisOptions
from moss_stream.engine.channel import Channel
from moss_stream.engine.utterance import SpeechJob, as_moss_error
from moss_stream.engine.worker import Worker
from moss_stream.errors import MossError, StreamConsumed, StreamEnded
from moss_stream.inbox import Feed, draw
from moss_stream.metrics import Event, StreamMetrics
from moss_stream.text.script import Script
from moss_stream.text.timeline import Spoken, Word
from moss_stream.text.turn import Turn, TurnState
from moss_stream.text_source import MEANT_FOR_THE_LOOP, Text

__all__ = ["SynthesisStream"]

logger = logging.getLogger("moss_stream")


class SynthesisStream:
    """One utterance: text in, an asynchronous iterable of `AudioChunk` out.

    The text is drawn from what the stream was made with or, if that was None, pushed with `push`, `flush`
    and `end`. The stream starts when it is first iterated, entered or pushed to, and can be iterated once.
    The last chunk has `is_final` set and no samples. Leaving the loop, leaving `async with`, cancelling the
    task or calling `cancel` stops the model within a frame.

    Made by `StreamingSynthesizer.stream` and `Conversation.stream`.
    """

    def __init__(
        self,
        worker: Worker,
        text: Text | None,
        options: SynthesisOptions,
        max_lead_ms: int,
        cast: Callable[[], Awaitable[Cast]],
        script: Script,
    ) -> None:
        self._worker = worker
        self._text = text
        self._options = options
        self._max_lead_ms = max_lead_ms
        self._cast = cast
        self._turn = Turn(script)
        self._job: SpeechJob | None = None
        self._feed: Feed | None = None
        self._tasks: list[asyncio.Task[None]] = []
        self._is_iterated = False
        self._spoken: Spoken | None = None

    @property
    def state(self) -> TurnState:
        """Where the utterance is."""
        return self._turn.state

    @property
    def words(self) -> list[Word]:
        """The words of every segment that is generated, and when they are spoken; times are estimates."""
        return self._turn.timeline.words()

    @property
    def metrics(self) -> StreamMetrics | None:
        """What was counted until now; None before the stream was started."""
        return None if self._job is None else self._job.meter.metrics()

    @property
    def expected_rtf(self) -> float | None:
        """The real-time factor that is expected now; None if not known.

        Above 1, a player has to buffer audio before it plays: see `Rebuffer`.
        """
        return self._worker.expected_rtf

    @property
    def events(self) -> list[Event]:
        """What happened until now, with `SynthesisOptions(trace=True)`; `moss_stream.trace` draws it."""
        return [] if self._job is None else list(self._job.meter.events or [])

    async def push(self, text: str) -> None:
        """Give the next piece of text. Waits while much text is waiting to be spoken.

        Raises:
            StreamEnded: The stream takes no more text: it was ended or cancelled, has failed, or draws its
                text itself.
            TextError: `text` is not a str.
        """
        await self._open_feed().write(text)

    async def flush(self) -> None:
        """Speak what was pushed, without waiting for its sentence to end. Raises what `push` raises.

        A chunk with `is_flush` follows the last one of what was flushed.
        """
        await self._open_feed().flush()

    async def end(self, text: str = "") -> None:
        """End the text, with `text` as its last piece; may be called again without one.

        If nothing was pushed before, the text is whole: the same text, voice and seed give the same audio.
        Raises what `push` raises.
        """
        if text or self._feed is None or not self._feed.has_ended:
            await self._open_feed().end(text)

    def __aiter__(self) -> AsyncIterator[AudioChunk]:
        if self._is_iterated:
            raise StreamConsumed(
                "This stream was iterated already, and its audio is gone. "
                "Keep the chunks, or make a new stream."
            )
        self._is_iterated = True
        return self._chunks()

    async def __aenter__(self) -> Self:
        self._start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.cancel()

    def attach(self, position: Callable[[], float]) -> None:
        """Register a callback, for any thread, that returns the seconds really played; `play` does it.

        The model then works ahead of what is heard, not of what was handed out, and `cancel` reports it.
        """
        job = self._start()
        if job is not None:
            job.lead.attach(position)

    async def cancel(self) -> Spoken:
        """Stop now; return what was heard.

        No more chunks are yielded, and the engine is free within a frame. May be called at any time, and more
        than once. What was heard is what the sink has played or, without a sink, what was handed out.
        """
        if self._spoken is None:
            self._spoken = await self._cancel()
        return self._spoken

    async def _cancel(self) -> Spoken:
        if self._job is None:
            self._turn.cancel()
            return self._turn.timeline.spoken(0.0)
        channel = self._job.channel
        heard_s = self._heard_s(self._job)
        self._stop()
        await channel.wait_finished()
        if not self._turn.state.is_over:
            self._turn.cancel()
        self._turn.script.keep_heard(heard_s)
        return self._turn.timeline.spoken(heard_s)

    def forget_unheard(self) -> None:
        """Forget, for the turns to come, what a consumer that left without `cancel` has not heard."""
        if self._job is not None and self._spoken is None and self._turn.state is not TurnState.DONE:
            self._turn.script.keep_heard(self._heard_s(self._job))

    def _heard_s(self, job: SpeechJob) -> float:
        """Return the seconds that were heard; where a sink cannot say, those that were handed out."""
        try:
            played_s = job.lead.played_s
        except MossError:  # the stream ends with it, where it is read
            logger.warning("What was heard is not known exactly.", exc_info=True)
            played_s = None
        taken_s = job.channel.taken_s
        return taken_s if played_s is None else min(played_s, taken_s)

    async def _chunks(self) -> AsyncIterator[AudioChunk]:
        # A generator, because its `finally` also runs when a caller breaks out of its loop.
        job = self._start()
        try:
            while job is not None and not job.channel.is_closed:
                chunk = await job.channel.get()
                if chunk is None:
                    break
                if chunk.is_final:
                    self._turn.finish()
                elif chunk.pcm:
                    job.meter.taken(self._worker.clock())
                yield chunk
        finally:
            self._stop()

    def _start(self) -> SpeechJob | None:
        if self._job is None and not self._turn.state.is_over:
            channel = Channel(self._max_lead_ms, self._worker.wake)
            feed = Feed(self._worker.wake)
            job = SpeechJob(self._options, self._turn, channel, feed.taken, self._worker.clock)
            self._worker.submit(job)  # raises if no stream is taken; then there is nothing to cancel
            feed.attach(job)
            self._job, self._feed = job, feed
            self._tasks.append(asyncio.create_task(self._find_voices(job)))
            if self._text is not None:
                self._tasks.append(asyncio.create_task(draw(self._text, feed, job)))
        return self._job

    def _open_feed(self) -> Feed:
        if self._text is not None:
            raise StreamEnded("This stream draws its text itself. To push text, make a stream without one.")
        self._start()
        if self._feed is None or self._feed.has_ended or self._turn.state.is_over:
            raise StreamEnded(
                "This stream takes no more text: it is over. Make a new stream for the next turn."
            )
        return self._feed

    def _stop(self) -> None:
        if self._feed is not None:
            self._feed.close()
        for task in self._tasks:
            task.cancel()
        if self._job is not None:
            self._job.channel.close()

    async def _find_voices(self, job: SpeechJob) -> None:
        try:
            job.set_cast(await self._cast())
        except BaseException as error:
            job.break_off(error if isinstance(error, Exception) else as_moss_error(error))
            if isinstance(error, MEANT_FOR_THE_LOOP):
                raise
        finally:
            self._worker.wake()
