"""The stream a caller holds: text is drawn in, chunks come out."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterable, AsyncIterator, Awaitable, Callable, Iterable, Iterator
from types import TracebackType
from typing import Self

from moss_stream.audio import AudioChunk
from moss_stream.config import SynthesisOptions
from moss_stream.engine.channel import Channel
from moss_stream.engine.job import SpeechJob
from moss_stream.engine.worker import Worker
from moss_stream.errors import StreamConsumed, TextError
from moss_stream.text.normalizer import Normalizer
from moss_stream.text.prompt import Codes
from moss_stream.text.segmenter import SentenceSegmenter, WholeSegmenter

__all__ = ["SynthesisStream", "Text"]

Text = str | Iterable[str] | AsyncIterable[str]

_MAX_WAITING = 8
"""Segments that wait for the engine before no more text is drawn."""


class SynthesisStream:
    """One utterance: an asynchronous iterable of `AudioChunk`.

    It starts when it is first iterated or entered, and can be iterated once. The last chunk has
    `is_final` set and no samples. Leaving the loop, leaving `async with`, cancelling the task or
    calling `cancel` stops the model within a frame. One stream runs at a time; further ones wait
    for their turn.

    Made by `StreamingSynthesizer.stream`.
    """

    def __init__(
        self,
        worker: Worker,
        text: Text,
        options: SynthesisOptions,
        max_lead_ms: int,
        voice: Callable[[], Awaitable[Codes | None]],
    ) -> None:
        self._worker = worker
        self._text = text
        self._options = options
        self._max_lead_ms = max_lead_ms
        self._voice = voice
        self._channel: Channel | None = None
        self._feeder: asyncio.Task[None] | None = None
        self._segment_begun = asyncio.Event()
        self._is_iterated = False
        self._is_cancelled = False

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

    async def cancel(self) -> None:
        """Stop now: nothing is yielded any more, and the engine is free within a frame.

        May be called at any time and more than once; it has no effect on a stream that is over.
        """
        self._stop()
        if self._channel is not None:
            await self._channel.wait_finished()

    async def _chunks(self) -> AsyncIterator[AudioChunk]:
        # A generator, because its `finally` also runs when a caller breaks out of its loop.
        channel = self._start()
        try:
            while channel is not None and not channel.is_closed:
                chunk = await channel.get()
                if chunk is None:
                    break
                yield chunk
        finally:
            self._stop()

    def _start(self) -> Channel | None:
        if self._channel is None and not self._is_cancelled:
            self._channel = Channel(self._max_lead_ms, self._worker.wake)
            job = SpeechJob(self._options, self._channel, self._segment_begun.set)
            self._worker.submit(job)
            self._feeder = asyncio.create_task(self._feed(job))
        return self._channel

    def _stop(self) -> None:
        self._is_cancelled = True
        if self._feeder is not None:
            self._feeder.cancel()
        if self._channel is not None:
            self._channel.close()

    async def _feed(self, job: SpeechJob) -> None:
        """Draw text, cut it, hand segments to the engine; what goes wrong ends the stream with it."""
        try:
            voice = await self._voice()
            if voice is not None:
                job.set_voice(voice)
            segmenter = SentenceSegmenter() if self._options.tokens is None else WholeSegmenter()
            normalizer = Normalizer()
            async for delta in _deltas(self._text):
                await self._say(job, segmenter.feed(normalizer.feed(delta)))
            await self._say(job, segmenter.feed(normalizer.end()) + segmenter.end())
            job.end()
        except Exception as error:
            job.fail(error)
        self._worker.wake()

    async def _say(self, job: SpeechJob, segments: list[str]) -> None:
        for segment in segments:
            while job.num_waiting >= _MAX_WAITING:
                self._segment_begun.clear()
                await self._segment_begun.wait()
            job.say(segment)
            self._worker.wake()


async def _deltas(text: Text) -> AsyncIterator[str]:
    """Yield a text's deltas; a blocking iterator is drawn from on a thread."""
    if isinstance(text, str):
        yield text
    elif isinstance(text, AsyncIterable):
        async for delta in text:
            yield _checked(delta)
    else:
        iterator: Iterator[object] = iter(text)
        end = object()
        while (item := await asyncio.to_thread(next, iterator, end)) is not end:
            yield _checked(item)


def _checked(delta: object) -> str:
    if not isinstance(delta, str):
        raise TextError(
            f"The text gave a {type(delta).__name__} where str was expected. "
            "Yield the text of each delta, for example `event.delta` or `choice.delta.content or ''`."
        )
    return delta
