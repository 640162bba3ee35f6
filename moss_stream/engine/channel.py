"""Carries chunks from the engine's thread to an asyncio consumer, bounded in milliseconds of audio."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable

from moss_stream.audio import AudioChunk

__all__ = ["Channel"]


class Channel:
    """One producer thread, one consumer task.

    The queue and everything else the consumer sees lives on the event loop; the producer only posts
    callbacks to it. How full the channel is follows from two sums, each written by one side alone.

    Args:
        max_lead_ms: Audio in the channel from which on the producer should wait.
        on_room: Called (on the loop) when a chunk was taken out or the channel was closed.
    """

    def __init__(self, max_lead_ms: int, on_room: Callable[[], None]) -> None:
        self._loop = asyncio.get_running_loop()
        self.max_lead_s = max_lead_ms / 1000
        self._on_room = on_room
        self._queue: deque[AudioChunk] = deque()
        self._arrived = asyncio.Event()
        self._finished = asyncio.Event()
        self._error: BaseException | None = None
        self._put_s = 0.0
        self._taken_s = 0.0
        self._is_closed = False

    @property
    def is_closed(self) -> bool:
        """Whether the consumer has gone. Safe on any thread."""
        return self._is_closed or self._loop.is_closed()

    @property
    def has_room(self) -> bool:
        """Whether the producer should go on. Safe on any thread."""
        return self._put_s - self._taken_s < self.max_lead_s

    def put(self, chunk: AudioChunk) -> None:
        """Hand over a chunk. Never waits; call it from the producer's thread."""
        self._put_s += chunk.duration_s
        self.post(self._deliver, chunk)

    def finish(self, error: BaseException | None = None) -> None:
        """End the channel, with `error` if one is given. From any thread."""
        self.post(self._end, error)

    async def get(self) -> AudioChunk | None:
        """Return the next chunk, or None at the end.

        Cancelling it is safe: no chunk is lost.

        Raises:
            MossError: What the producer ended with, after all chunks before it.
        """
        while not self._queue and not self._finished.is_set():
            self._arrived.clear()
            await self._arrived.wait()
        if self._queue:
            chunk = self._queue.popleft()
            self._taken_s += chunk.duration_s
            self._on_room()
            return chunk
        if self._error is not None:
            raise self._error
        return None

    def close(self) -> None:
        """Drop all queued chunks and all later ones. From the consumer's loop."""
        self._is_closed = True
        self._queue.clear()
        self._arrived.set()
        self._on_room()

    @property
    def taken_s(self) -> float:
        """Audio that the consumer took, in seconds."""
        return self._taken_s

    async def wait_finished(self) -> None:
        """Wait until the producer has let go."""
        await self._finished.wait()

    def _deliver(self, chunk: AudioChunk) -> None:
        if not self._is_closed:
            self._queue.append(chunk)
            self._arrived.set()

    def _end(self, error: BaseException | None) -> None:
        if not self._finished.is_set():
            self._error = error
            self._finished.set()
            self._arrived.set()

    def post(self, callback: Callable[..., None], *args: object) -> None:
        """Call `callback` on the consumer's loop, if that is still there. From any thread."""
        try:
            self._loop.call_soon_threadsafe(callback, *args)
        except RuntimeError:  # the loop is gone, and the consumer with it
            pass
