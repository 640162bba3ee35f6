"""The loudspeaker, through PortAudio (extra: speaker)."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Any, Self

from moss_stream import AudioChunk, MissingDependency, PlaybackReport, SinkError

__all__ = ["SpeakerSink"]

_BYTES_PER_SAMPLE = 2


class SpeakerSink:
    """Plays chunks on a sound device; a `moss_stream.Sink`.

    PortAudio calls back from a thread of its own for every block of samples. It takes them from a
    deque, which needs no lock for one writer and one reader, and wakes the writer only when the
    queue falls under half of its bound.

    Made by `SpeakerSink.open`.
    """

    sample_rate = 24_000

    def __init__(self, max_queue_s: float = 0.5) -> None:
        self._loop = asyncio.get_running_loop()
        self._max_queued = int(max_queue_s * self.sample_rate) * _BYTES_PER_SAMPLE
        self._queue: deque[memoryview] = deque()
        self._written = 0
        self._taken = 0
        self._drained = asyncio.Event()
        self._is_waiting = False
        self._device: Any = None
        self.underruns = 0
        """How often the queue ran empty between the first chunk of an utterance and its flush."""
        self._in_utterance = False
        self._is_paused = False

    @classmethod
    def open(cls, device: str | int | None = None, latency_s: float = 0.1) -> Self:
        """Open a sound device.

        Args:
            device: Its name or number; None is the default device.
            latency_s: What PortAudio buffers; lower values stutter on some systems.

        Raises:
            MissingDependency: The library sounddevice is not installed.
            SinkError: PortAudio or the device is not there, or does not take 24 kHz.
        """
        sounddevice = import_sounddevice()
        sink = cls()
        try:
            sink._device = sounddevice.RawOutputStream(
                samplerate=cls.sample_rate,
                channels=1,
                dtype="int16",
                device=device,
                latency=latency_s,
                callback=sink.callback,
            )
            sink._device.start()
        except (sounddevice.PortAudioError, ValueError) as error:
            if sink._device is not None:
                sink._device.close()
            name = "default sound device" if device is None else f"sound device {device!r}"
            raise SinkError(
                f"The {name} cannot be opened ({error}). "
                "`moss-stream doctor` shows the devices; write to a file with -o instead."
            ) from error
        return sink

    @property
    def position_s(self) -> float:
        """Seconds that left the loudspeaker: those the device took, less what it still buffers."""
        buffered_s = getattr(self._device, "latency", 0.0)
        return max(0.0, self._taken / _BYTES_PER_SAMPLE / self.sample_rate - buffered_s)

    async def write(self, chunk: AudioChunk) -> None:
        """Queue a chunk; waits while more than the bound is queued. Cancelling it loses the chunk."""
        await self._wait(lambda: self._written - self._taken <= self._max_queued)
        if chunk.pcm:
            self._in_utterance = True
            # What was taken while `clear` ran may exceed what it left as written.
            self._written = max(self._written, self._taken) + len(chunk.pcm)
            self._queue.append(memoryview(chunk.pcm))

    async def flush(self) -> PlaybackReport:
        """Wait until everything is played."""
        self._in_utterance = False
        await self._wait(lambda: self._taken >= self._written)
        await asyncio.sleep(getattr(self._device, "latency", 0.0))
        return PlaybackReport(self._taken / _BYTES_PER_SAMPLE / self.sample_rate)

    async def clear(self) -> PlaybackReport:
        """Drop what is queued; what the device has buffered is still heard."""
        self._in_utterance = False
        self._queue = deque()  # a new one: a callback under way puts its rest back into the old one
        dropped, self._written = max(0, self._written - self._taken), self._taken
        self._drained.set()
        return PlaybackReport(self.position_s, dropped / _BYTES_PER_SAMPLE / self.sample_rate)

    def pause(self) -> None:
        """Fall silent, and keep what is queued."""
        self._is_paused = True

    def resume(self) -> None:
        """Go on where it was paused."""
        self._is_paused = False

    async def aclose(self) -> None:
        """Close the device; whoever still waits for it goes on."""
        await self.clear()
        device, self._device = self._device, None
        if device is not None:
            device.abort()
            device.close()

    def callback(self, out: Any, frames: int, time: Any, status: Any) -> None:
        """Fill `out` with the next samples, or silence. Called by PortAudio."""
        if self._is_paused:
            out[:] = bytes(len(out))
            return
        queue, filled = self._queue, 0
        while filled < len(out):
            try:
                block = queue.popleft()
            except IndexError:
                break
            take = min(len(block), len(out) - filled)
            out[filled : filled + take] = block[:take]
            if take < len(block):
                queue.appendleft(block[take:])
            filled += take
        if filled < len(out):
            out[filled:] = bytes(len(out) - filled)
            self.underruns += self._in_utterance
        before, self._taken = self._taken, self._taken + filled
        if self._is_waiting and self._crossed_low_mark(before):
            self._wake()

    def _crossed_low_mark(self, before: int) -> bool:
        low = self._max_queued // 2
        fell = self._written - before > low >= self._written - self._taken
        return fell or self._taken >= self._written

    async def _wait(self, condition: Callable[[], bool]) -> None:
        while not condition():
            self._drained.clear()
            self._is_waiting = True
            if not condition():  # it may have become true between the check and the clearing
                await self._drained.wait()
            self._is_waiting = False

    def _wake(self) -> None:
        try:
            self._loop.call_soon_threadsafe(self._drained.set)
        except RuntimeError:  # the loop is gone, and whoever waited with it
            pass


def import_sounddevice() -> Any:
    """Import sounddevice.

    Raises:
        MissingDependency: It is not installed.
        SinkError: It is, but PortAudio is not.
    """
    try:
        import sounddevice
    except ImportError as error:
        raise MissingDependency(
            "Playing on a sound device needs the library sounddevice", "speaker"
        ) from error
    except OSError as error:
        raise SinkError(
            "PortAudio, which plays sound, is not installed. On Debian and Ubuntu: apt install libportaudio2."
        ) from error
    return sounddevice
