"""A telephone call, over a media stream of Twilio."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
import time
from collections.abc import Callable
from typing import Any

from moss_stream import AudioChunk, PlaybackReport, SinkError
from moss_stream.formats.pcm import encoded
from moss_stream.wire import FarEnd

from .websocket import Connection

__all__ = ["TelephonySink"]

RATE_HZ = 8000
"""Of telephones."""
FRAME_BYTES = 160
"""20 ms of mu-law, a packet of a telephone network."""
SILENCE = b"\xff"
"""Of mu-law."""


class TelephonySink:
    """Speaks into a call; a `moss_stream.Sink`.

    Audio goes out in frames of 20 ms, in mu-law at 8 kHz, as `media` messages; behind each chunk goes a
    `mark`, which comes back when it was played. Give what the other side sends to `heard`. Until marks come
    back it is assumed to play in real time. `clear` empties the buffer of the other side with a message of
    that name, and no frame of what was interrupted follows it.

    Args:
        connection: The socket that the other side has opened.
        stream_sid: Of its `start` message.
        max_queue_s: Audio that `write` gives ahead of what is played.
        clock: Seconds that never go back.
    """

    sample_rate = RATE_HZ
    channels = 1

    def __init__(
        self,
        connection: Connection,
        stream_sid: str,
        max_queue_s: float = 1.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._connection = connection
        self._stream_sid = stream_sid
        self._max_queue_s = max_queue_s
        self._far_end = FarEnd(clock)
        self._rest = b""
        self._changed = asyncio.Event()
        self._is_paused = self._is_over = False
        self._generation = 0

    @property
    def position_s(self) -> float:
        """Seconds that were played, by the marks that came back or by the time since it was sent."""
        return self._far_end.position_s

    def heard(self, message: str | dict[str, Any]) -> None:
        """Take a message of the other side, as it came or read: `mark` and `stop` concern the sink."""
        content: dict[str, Any] = json.loads(message) if isinstance(message, str) else message
        if content.get("event") == "mark":
            generation, _, samples = str(content.get("mark", {}).get("name", "")).partition(":")
            # Marks of what was cleared come back too, at once: it was not played.
            if generation == str(self._generation) and samples.isdecimal():
                self._far_end.played(int(samples) / RATE_HZ)
        elif content.get("event") == "stop":
            self._is_over = True
        self._changed.set()

    async def write(self, chunk: AudioChunk) -> None:
        """Send a chunk; waits while more than the bound is not played yet.

        Raises:
            SinkError: The call is over, or the chunk has another rate, or other channels.
        """
        chunk.check_rate(RATE_HZ, 1)
        generation = self._generation
        while (self._is_paused or self._ahead_s > self._max_queue_s) and not self._is_over:
            await self._wait(self._ahead_s - self._max_queue_s)
        if chunk.pcm and generation == self._generation:  # otherwise it would be heard after the silence
            await self._send_frames(encoded(chunk.samples, "pcm_mulaw"), generation)

    async def flush(self) -> PlaybackReport:
        """Wait until everything is played, as far as is known."""
        rest, self._rest = self._rest, b""
        if rest:
            await self._send_frames(rest.ljust(FRAME_BYTES, SILENCE), self._generation)
        while self._ahead_s > 0 and not self._is_over:
            await self._wait(self._ahead_s)
        return PlaybackReport(self.position_s, max(0.0, self._ahead_s))

    async def clear(self) -> PlaybackReport:
        """Drop what is not played yet, here and at the other side."""
        played_s, dropped_s = self.position_s, self._ahead_s + len(self._rest) / RATE_HZ
        self._generation += 1
        self._rest = b""
        self._far_end.dropped()
        self._changed.set()
        if not self._is_over:
            await self._send("clear")
        return PlaybackReport(played_s, max(0.0, dropped_s))

    def pause(self) -> None:
        """Send no more audio; what was sent is played."""
        self._is_paused = True

    def resume(self) -> None:
        """Go on where it was paused."""
        self._is_paused = False
        self._changed.set()

    async def aclose(self) -> None:
        """Send no more; the socket stays open."""
        self._is_over = True
        self._changed.set()

    @property
    def _ahead_s(self) -> float:
        ahead_s = self._far_end.sent_s - self._far_end.position_s
        return ahead_s if ahead_s > 0.5 / RATE_HZ else 0.0  # sums of frames are not whole samples

    async def _send_frames(self, data: bytes, generation: int) -> None:
        """Send whole frames, and a mark behind them; what is left goes with the next ones."""
        data = self._rest + data
        whole = len(data) - len(data) % FRAME_BYTES
        self._rest = data[whole:]
        for start in range(0, whole, FRAME_BYTES):
            if generation != self._generation:
                return
            self._far_end.sent(FRAME_BYTES / RATE_HZ)
            payload = base64.b64encode(data[start : start + FRAME_BYTES]).decode()
            await self._send("media", media={"payload": payload})
        if whole and generation == self._generation:
            name = f"{generation}:{round(self._far_end.sent_s * RATE_HZ)}"
            await self._send("mark", mark={"name": name})

    async def _send(self, event: str, **content: Any) -> None:
        if self._is_over:
            raise SinkError("The call is over. Make a new sink for the next one.")
        message = json.dumps({"event": event, "streamSid": self._stream_sid, **content})
        try:
            await self._connection.send(message)
        except Exception as error:
            self._is_over = True
            raise SinkError(
                f"The call is over ({type(error).__name__}: {error}). Make a new sink for the next one."
            ) from error

    async def _wait(self, at_most_s: float) -> None:
        """Wait for a message of the other side, or as long as its player needs."""
        self._changed.clear()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(None if self._is_paused else max(0.001, at_most_s)):
                await self._changed.wait()
