"""Playing a stream on a sink, and what one can do meanwhile."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterable, Generator

from moss_stream.audio import AudioChunk
from moss_stream.sinks.rates import RateConverter
from moss_stream.sinks.sink import PlaybackReport, Sink, channels_of
from moss_stream.stream import SynthesisStream
from moss_stream.text.timeline import Spoken

__all__ = ["Playback", "play"]


def play(chunks: AsyncIterable[AudioChunk], sink: Sink) -> Playback:
    """Begin to play a stream on a sink; `await` the result, or its `wait`, until everything is played.

    What the sink has played is told to the stream: it then works ahead of what is heard, and its `cancel`
    says what was heard. A sink with another rate gets the audio resampled,
    and mixed where it takes other channels. Call it where an event loop runs.

    Raises:
        SinkError: The sink asks for a rate that no audio has.
    """
    return Playback(chunks, sink)


class Playback:
    """A stream that is being played. Made by `play`."""

    def __init__(self, chunks: AsyncIterable[AudioChunk], sink: Sink) -> None:
        self._chunks = chunks
        self._sink = sink
        self._converter = RateConverter(sink.sample_rate, channels_of(sink))
        self._may_run = asyncio.Event()
        self._may_run.set()
        if isinstance(chunks, SynthesisStream):
            before_s = sink.position_s
            chunks.attach(lambda: sink.position_s - before_s)
        self._task = asyncio.ensure_future(self._play())

    def __await__(self) -> Generator[None, None, PlaybackReport]:
        return self.wait().__await__()

    async def wait(self) -> PlaybackReport:
        """Wait until everything is played. Cancelling it drops what is not played yet.

        Raises:
            MossError: What the stream or the sink raised; what was not played by then is dropped.
            asyncio.CancelledError: It was interrupted.
        """
        try:
            return await self._task
        except asyncio.CancelledError:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task
            raise

    def pause(self) -> None:
        """Fall silent; the stream stays, and is made as far ahead as always."""
        self._may_run.clear()
        self._sink.pause()

    def resume(self) -> None:
        """Go on where it was paused."""
        self._sink.resume()
        self._may_run.set()

    async def interrupt(self) -> Spoken | None:
        """Silence the sink, stop the stream, and return what was heard; None if it was no stream of ours.

        After the end it returns what was heard in all.
        """
        self._task.cancel()
        await asyncio.wait([self._task])
        await self._sink.clear()
        self.resume()
        return await self._chunks.cancel() if isinstance(self._chunks, SynthesisStream) else None

    async def _play(self) -> PlaybackReport:
        try:
            async for chunk in self._chunks:
                await self._may_run.wait()
                await self._write(self._converter.convert(chunk))
            await self._write(self._converter.rest())
            return await self._sink.flush()
        except BaseException:
            await self._sink.clear()
            raise

    async def _write(self, chunks: list[AudioChunk]) -> None:
        for chunk in chunks:
            await self._sink.write(chunk)
