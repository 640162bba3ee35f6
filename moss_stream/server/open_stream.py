"""A stream of a connection: what waits to be given to it, and what was given."""

from __future__ import annotations

import asyncio
import contextlib
import time

from moss_stream import MossError, Spoken, SynthesisStream
from moss_stream.wire import FarEnd

__all__ = ["END", "FLUSH", "Last", "OpenStream", "weight"]

FLUSH, END = object(), object()


class Last(str):
    """The last piece of a text, or the whole of it."""

    __slots__ = ()


class OpenStream:
    """A stream, what waits to be given to it, and the tasks that feed and hear it.

    Args:
        stream: The stream.
        speed: Seconds of its audio that the client plays in a second.
    """

    def __init__(self, stream: SynthesisStream, speed: float = 1.0) -> None:
        self.stream = stream
        self.far_end = FarEnd(lambda: time.monotonic() * speed)
        stream.attach(lambda: self.far_end.position_s)  # begins it, or raises
        self.permit = contextlib.ExitStack()
        self.hearing: asyncio.Task[None] | None = None
        self.expected_rtf = stream.expected_rtf
        """What the client was told."""
        self.num_words = 0
        self.num_waiting = self.num_written = self.num_chars = 0
        self.has_ended = False
        self.texts: list[str] = []
        """What was given, if texts are written down."""
        self._orders: asyncio.Queue[object] = asyncio.Queue()
        self.feeding = asyncio.create_task(self._feed())

    @property
    def is_heard_of(self) -> bool:
        """Whether the client is still told something of it."""
        return self.hearing is not None and not self.hearing.done()

    async def stop(self) -> Spoken:
        """Stop it; return what was heard."""
        spoken = await self.stream.cancel()
        tasks = [task for task in (self.feeding, self.hearing) if task is not None]
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)
        self.permit.close()
        return spoken

    def give(self, order: object) -> None:
        """Queue a text, or the order to flush or end; a stream that is far behind holds up no other order."""
        self.num_waiting += weight(order)
        self.num_written += weight(order)
        self._orders.put_nowait(order)

    async def _feed(self) -> None:
        """Give what is queued to the stream, as fast as it takes it."""
        with contextlib.suppress(MossError):  # the stream was cancelled, or ends with this error
            while True:
                order = await self._orders.get()
                if isinstance(order, Last):
                    await self.stream.end(order)
                elif isinstance(order, str):
                    await self.stream.push(order)
                elif order is FLUSH:
                    await self.stream.flush()
                else:
                    await self.stream.end()
                self.num_waiting -= weight(order)


def weight(order: object) -> int:
    """Return what an order counts against the limits: the length of a text, one for anything else."""
    return max(1, len(order)) if isinstance(order, str) else 1
