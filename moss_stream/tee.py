"""Several sinks as one."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import TypeVar

from moss_stream.audio import AudioChunk
from moss_stream.errors import SinkError
from moss_stream.sinks import PlaybackReport, Sink

__all__ = ["TeeSink"]

T = TypeVar("T")


class TeeSink:
    """Gives every chunk to several sinks; the first one says what was played.

    Args:
        first: Somebody listens to it.
        others: Record it, for instance.
    """

    def __init__(self, first: Sink, *others: Sink) -> None:
        self._sinks = (first, *others)
        rates = {sink.sample_rate for sink in self._sinks}
        if len(rates) > 1:
            raise SinkError(f"The sinks take different rates ({sorted(rates)} Hz). Give sinks of one rate.")

    @property
    def sample_rate(self) -> int:
        """See `Sink`."""
        return self._sinks[0].sample_rate

    @property
    def position_s(self) -> float:
        """See `Sink`: that of the first one."""
        return self._sinks[0].position_s

    async def write(self, chunk: AudioChunk) -> None:
        """See `Sink`; waits for the slowest."""
        await self._all(*(sink.write(chunk) for sink in self._sinks))

    async def flush(self) -> PlaybackReport:
        """See `Sink`."""
        return (await self._all(*(sink.flush() for sink in self._sinks)))[0]

    async def clear(self) -> PlaybackReport:
        """See `Sink`."""
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

    async def _all(self, *waiting: Coroutine[None, None, T]) -> list[T]:
        """Wait for all, also when one fails; then raise the first error."""
        results = await asyncio.gather(*waiting, return_exceptions=True)
        for result in results:
            if isinstance(result, BaseException):
                raise result
        return [result for result in results if not isinstance(result, BaseException)]
