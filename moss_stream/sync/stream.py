"""A stream that is iterated with a plain `for`."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator
from types import TracebackType
from typing import Self, cast

from moss_stream.audio import AudioChunk
from moss_stream.metrics import Event, StreamMetrics
from moss_stream.stream import SynthesisStream
from moss_stream.sync.loop_thread import LoopThread
from moss_stream.text.timeline import Spoken, Word
from moss_stream.text.turn import TurnState

__all__ = ["SyncStream"]


class SyncStream:
    """One utterance: text in, an iterable of `AudioChunk` out; see `SynthesisStream`.

    Leaving the loop, leaving `with`, Ctrl-C or `cancel` stops the model within a frame. One thread may push
    text while another one takes chunks.

    Made by `SyncSynthesizer.stream` and its like.

    Args:
        loop: Where the stream lives.
        stream: What is wrapped.
    """

    def __init__(self, loop: LoopThread, stream: SynthesisStream) -> None:
        self._loop = loop
        self._stream = stream

    @property
    def state(self) -> TurnState:
        """Where the utterance is."""
        return self._stream.state

    @property
    def words(self) -> list[Word]:
        """The words of every segment that is generated, and when they are spoken; times are estimates."""
        return self._stream.words

    @property
    def metrics(self) -> StreamMetrics | None:
        """What was counted until now; None before the stream was started."""
        return self._stream.metrics

    @property
    def expected_rtf(self) -> float | None:
        """The real-time factor that is expected now; None if not known."""
        return self._stream.expected_rtf

    @property
    def events(self) -> list[Event]:
        """What happened until now, with `SynthesisOptions(trace=True)`."""
        return self._stream.events

    def push(self, text: str) -> None:
        """Give the next piece of text; see `SynthesisStream.push`.

        Waits while much text is waiting to be spoken: of a long text, take chunks meanwhile.
        """
        self._loop.call(self._stream.push(text))

    def flush(self) -> None:
        """Speak what was pushed now; see `SynthesisStream.flush`."""
        self._loop.call(self._stream.flush())

    def end(self, text: str = "") -> None:
        """End the text; see `SynthesisStream.end`."""
        self._loop.call(self._stream.end(text))

    def attach(self, position: Callable[[], float]) -> None:
        """Say what returns the seconds really played, on any thread; see `SynthesisStream.attach`."""

        async def attached() -> None:
            self._stream.attach(position)

        self._loop.call(attached())

    def cancel(self) -> Spoken:
        """Stop now; return what was heard; see `SynthesisStream.cancel`."""
        return self._loop.call(self._stream.cancel())

    def __iter__(self) -> Iterator[AudioChunk]:
        return self._chunks(_Pull(aiter(self._stream)))

    def __enter__(self) -> Self:
        self._loop.call(self._stream.__aenter__())
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.cancel()

    def _chunks(self, pull: _Pull) -> Iterator[AudioChunk]:
        # A generator, because its `finally` also runs when a caller breaks out of its loop.
        try:
            while (chunk := self._loop.call(pull.next())) is not None:
                yield chunk
        finally:
            self._loop.clean_up(pull.close())


class _Pull:
    """Takes chunks on the loop, one call at a time: a call that was interrupted may not have ended yet."""

    def __init__(self, chunks: AsyncIterator[AudioChunk]) -> None:
        self._chunks = cast(AsyncGenerator[AudioChunk, None], chunks)
        self._lock = asyncio.Lock()

    async def next(self) -> AudioChunk | None:
        """Return the next chunk; None at the end."""
        async with self._lock:
            return await anext(self._chunks, None)

    async def close(self) -> None:
        """Stop the stream, if it is not over."""
        async with self._lock:
            await self._chunks.aclose()
