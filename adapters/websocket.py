"""Audio over a WebSocket (extra: websocket)."""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Protocol

from moss_stream import AudioChunk, ConfigError, PlaybackReport, SinkError
from moss_stream.formats.pcm import SAMPLE_BYTES, Encoding
from moss_stream.wire import FarEnd, check_stream, is_news, pack

__all__ = ["Connection", "WebSocketSink"]


class Connection(Protocol):
    """What is needed of a socket; those of `websockets` and of FastAPI's tests have it."""

    async def send(self, message: str | bytes) -> None:
        """Send a text or a binary message."""


class WebSocketSink:
    """Sends chunks as binary messages (`moss_stream.wire`); a `moss_stream.Sink`.

    One task writes, from a bounded queue: a slow or stuck peer holds up its own stream and nothing else. What
    was sent cannot be recalled, so `clear` sends `{"type": "clear", "stream": ..., "generation": ...}`, and
    the peer drops audio of older generations. The peer may report what it has played (`played`); until it
    does, it is assumed to play in real time from the first message on. Open the socket with
    `compression=None`: PCM does not shrink, and each connection would cost 50 kB more.

    Before the first audio of an utterance goes `{"type": "started", "stream": ..., "sample_rate": ...,
    "expected_rtf": ...}`, with `"channels": 2` if it is stereo and `"encoding": ...` if it is not int16, and
    `{"type": "speed", "stream": ..., "expected_rtf": ...}` when the machine has become slower or faster.
    Where it needs more than a second for a second of audio, the peer has to collect some before it plays (as
    `moss_stream.Rebuffer` does), and should report what it has played.

    Args:
        connection: The socket.
        stream: The number of the stream in its messages.
        max_queue_s: Audio that `write` takes ahead of the socket.
        clock: Seconds that never go back.
        sample_rate: Of the chunks that it takes, in Hz; None: whatever an utterance begins with.
        channels: Of them; None: whatever an utterance begins with. Give what a peer is able to play.
        encoding: Of what is sent: "pcm_s16le", "pcm_f32le", "pcm_mulaw" or "pcm_alaw".

    Raises:
        ConfigError: `stream` is no number from 0 to 2^32 - 1, or there is no such encoding.
    """

    def __init__(
        self,
        connection: Connection,
        stream: int = 0,
        max_queue_s: float = 0.5,
        clock: Callable[[], float] = time.monotonic,
        sample_rate: int | None = None,
        channels: int | None = None,
        encoding: Encoding = "pcm_s16le",
    ) -> None:
        check_stream(stream)
        if encoding not in SAMPLE_BYTES:
            raise ConfigError(f"There is no encoding {encoding!r}. There are: {', '.join(SAMPLE_BYTES)}.")
        self._encoding: Encoding = encoding
        self.sample_rate, self.channels = sample_rate, channels
        self._format = sample_rate, channels
        self._connection = connection
        self._stream = stream
        self._max_queue_s = max_queue_s
        self._far_end = FarEnd(clock)
        self._queue: deque[AudioChunk | str] = deque()
        self._queued_s = 0.0
        self._changed = asyncio.Event()
        self._idle = asyncio.Event()
        self._idle.set()
        self._is_paused = self._is_started = False
        self._told_rtf: float | None = None
        self._error: BaseException | None = None
        self.generation = 0
        """Goes up with every `clear`."""
        self._writer = asyncio.create_task(self._write_all())

    @property
    def position_s(self) -> float:
        """Seconds that the peer has played, by its own report or by the time since it was sent."""
        return self._far_end.position_s

    def played(self, seconds: float) -> None:
        """Take the peer's report of what it has played, in seconds of all that was sent."""
        self._far_end.played(seconds)
        self._changed.set()

    async def write(self, chunk: AudioChunk) -> None:
        """Queue a chunk; waits while more than the bound is queued.

        Raises:
            SinkError: The connection is closed, or the chunk has another rate, or other channels.
        """
        chunk.check_rate(*(self._format if self._is_started else (self.sample_rate, self.channels)))
        generation = self.generation
        while self._queued_s > self._max_queue_s and self._error is None:
            await self._wait()
        self._check()
        if chunk.pcm and generation == self.generation:  # otherwise it would be heard after the silence
            self._tell_speed(chunk)
            self._queued_s += chunk.duration_s
            self._put(chunk)
        if chunk.is_final:
            self._is_started = False

    async def flush(self) -> PlaybackReport:
        """Wait until everything is sent, and played as far as is known."""
        self._is_started = False
        await self._idle.wait()
        self._check()
        while (left_s := self._far_end.sent_s - self.position_s) > 0 and self._error is None:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(left_s):
                    await self._wait()
        return PlaybackReport(self.position_s)

    async def clear(self) -> PlaybackReport:
        """Drop what is not sent, and tell the peer to drop what it has not played."""
        played_s = self.position_s
        dropped_s = self._far_end.sent_s + self._queued_s - played_s
        self.generation += 1
        self._queue = deque(item for item in self._queue if isinstance(item, str))
        self._queued_s = 0.0
        self._is_started = False
        self._far_end.dropped()
        self._tell("clear", generation=self.generation)
        return PlaybackReport(played_s, max(0.0, dropped_s))

    def pause(self) -> None:
        """Send no more audio; what was sent is played."""
        self._is_paused = True

    def resume(self) -> None:
        """Go on where it was paused."""
        self._is_paused = False
        self._changed.set()

    async def aclose(self) -> None:
        """End the writer; the socket stays open."""
        self._writer.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._writer

    def _tell_speed(self, chunk: AudioChunk) -> None:
        rtf = chunk.rtf
        if not self._is_started:
            self._format = chunk.sample_rate, chunk.channels
            about: dict[str, float | str] = {} if chunk.channels == 1 else {"channels": chunk.channels}
            if self._encoding != "pcm_s16le":
                about["encoding"] = self._encoding
            self._tell("started", sample_rate=chunk.sample_rate, **about, expected_rtf=rtf or None)
        elif is_news(self._told_rtf, rtf):
            self._tell("speed", expected_rtf=rtf)
        else:
            return
        self._is_started, self._told_rtf = True, rtf

    def _tell(self, kind: str, **content: float | str | None) -> None:
        self._put(json.dumps({"type": kind, "stream": self._stream, **content}))

    def _put(self, item: AudioChunk | str) -> None:
        self._queue.append(item)
        self._idle.clear()
        self._changed.set()

    async def _write_all(self) -> None:
        try:
            while True:
                item = await self._next()
                await (self._connection.send(item) if isinstance(item, str) else self._send(item))
                if not self._queue:
                    self._idle.set()
        except Exception as error:
            self._error = error
        finally:
            self._error = self._error or ConnectionError("the sink was closed")
            self._idle.set()
            self._changed.set()

    async def _next(self) -> AudioChunk | str:
        while not self._queue or (self._is_paused and not isinstance(self._queue[0], str)):
            await self._wait()
        return self._queue.popleft()

    def _send(self, chunk: AudioChunk) -> Awaitable[None]:
        self._queued_s -= chunk.duration_s
        self._far_end.sent(chunk.duration_s)
        self._changed.set()
        return self._connection.send(pack(chunk, self._stream, self.generation, self._encoding))

    async def _wait(self) -> None:
        self._changed.clear()
        await self._changed.wait()

    def _check(self) -> None:
        if self._error is not None:
            raise SinkError(
                f"The WebSocket is closed ({type(self._error).__name__}: {self._error}). Open a new one."
            ) from self._error
