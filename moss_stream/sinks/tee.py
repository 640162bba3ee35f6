"""Several sinks as one."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import TypeVar

from moss_stream.audio import AudioChunk
from moss_stream.sinks.rates import RateConverter
from moss_stream.sinks.sink import PlaybackReport, Sink, channels_of

__all__ = ["TeeSink"]

T = TypeVar("T")


class TeeSink:
    """Passes every chunk to several sinks, each at its own rate and with its own channels.

    The first one reports what was played.

    Args:
        first: Somebody listens to it.
        others: Record it, for instance.

    Raises:
        SinkError: A sink asks for a rate that no audio has.
    """

    def __init__(self, first: Sink, *others: Sink) -> None:
        self._sinks = (first, *others)
        self._converters = [RateConverter(sink.sample_rate, channels_of(sink)) for sink in self._sinks]

    @property
    def sample_rate(self) -> int | None:
        """See `Sink`: that of all sinks, or None if theirs differ; chunks of any rate are taken."""
        rates = {sink.sample_rate for sink in self._sinks}
        return rates.pop() if len(rates) == 1 else None

    @property
    def channels(self) -> int | None:
        """See `Sink`: those of all sinks, or None if theirs differ; mono and stereo are taken."""
        channels = {channels_of(sink) for sink in self._sinks}
        return channels.pop() if len(channels) == 1 else None

    @property
    def position_s(self) -> float:
        """See `Sink`: that of the first one."""
        return self._sinks[0].position_s

    async def write(self, chunk: AudioChunk) -> None:
        """See `Sink`; waits for the slowest."""
        await self._all(*(self._write(index, chunk) for index in range(len(self._sinks))))

    async def flush(self) -> PlaybackReport:
        """See `Sink`."""
        return (await self._all(*(self._flush(index) for index in range(len(self._sinks)))))[0]

    async def clear(self) -> PlaybackReport:
        """See `Sink`."""
        for converter in self._converters:
            converter.reset()
        return (await self._all(*(sink.clear() for sink in self._sinks)))[0]

    def pause(self) -> None:
        """See `Sink`."""
        for sink in self._sinks:
            sink.pause()

    def resume(self) -> None:
        """See `Sink`."""
        for sink in self._sinks:
            sink.resume()

    async def aclose(self) -> None:
        """See `Sink`."""
        await self._all(*(sink.aclose() for sink in self._sinks))

    async def _write(self, index: int, chunk: AudioChunk) -> None:
        for converted in self._converters[index].convert(chunk):
            await self._sinks[index].write(converted)

    async def _flush(self, index: int) -> PlaybackReport:
        for rest in self._converters[index].rest():
            await self._sinks[index].write(rest)
        return await self._sinks[index].flush()

    async def _all(self, *waiting: Coroutine[None, None, T]) -> list[T]:
        """Wait for all, also when one fails; then raise the first error."""
        results = await asyncio.gather(*waiting, return_exceptions=True)
        for result in results:
            if isinstance(result, BaseException):
                raise result
        return [result for result in results if not isinstance(result, BaseException)]
