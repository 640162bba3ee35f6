"""The loudspeaker, through PortAudio (extra: speaker)."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from typing import Any, Self

import soxr

from moss_stream import AudioChunk, PlaybackReport, Rebuffer, SinkError
from moss_stream.audio import as_samples, mixed

from .lasting_device import LastingDevice
from .sample_queue import SampleQueue
from .sound_device import Device, open_output

__all__ = ["SpeakerSink"]


STALL_S = 1.0
"""A device that takes nothing for so long has gone, although PortAudio does not say so."""


class SpeakerSink:
    """Plays chunks on a sound device; a `moss_stream.Sink`.

    PortAudio calls back from a thread of its own for every block of samples. A device that does not take the
    rate is given its own, and one with a single channel gets stereo mixed. A device that goes away is opened
    again, or the default one in its place; what was not given to it yet is kept. A machine that is slower
    than real time is heard with few long pauses (`moss_stream.Rebuffer`).

    Made by `SpeakerSink.open`.

    Args:
        max_queue_s: How much audio `write` takes ahead of the device.
        sample_rate: Of the chunks that it takes, in Hz.
        channels: Of them.
    """

    def __init__(self, max_queue_s: float = 0.5, sample_rate: int = 24_000, channels: int = 1) -> None:
        self.sample_rate, self.channels = sample_rate, channels
        self._loop = asyncio.get_running_loop()
        self._max_queue_s = max_queue_s
        self._changed = asyncio.Event()
        self._rebuffer = Rebuffer(sample_rate)
        self._queue = self._new_queue(sample_rate, channels)
        self._resampler: Any = None
        self._device: LastingDevice | None = None
        self._error: SinkError | None = None
        self._before_s = 0.0
        self._calls = self._num_cleared = 0
        self._is_paused = False
        self.device_underruns = 0
        """How often the device was not served in time."""

    @classmethod
    def open(
        cls,
        device: Device = None,
        latency_s: float = 0.06,
        patience_s: float = 10.0,
        sample_rate: int = 24_000,
        channels: int = 1,
    ) -> Self:
        """Open a sound device.

        Args:
            device: Its name, a part of it, or its number; None is the default device.
            latency_s: What PortAudio buffers; an interruption is heard that much later. Lower values
                stutter on some systems.
            patience_s: How long a device that has gone is waited for.
            sample_rate: Of the chunks, in Hz: `synth.info.sample_rate`.
            channels: Of the chunks: `synth.info.channels`.

        Raises:
            MissingDependency: The library sounddevice is not installed.
            SinkError: PortAudio or the device is not there, or cannot be opened.
        """
        sink = cls(sample_rate=sample_rate, channels=channels)

        def open_one(candidate: Device) -> Any:
            return open_output(candidate, sample_rate, latency_s, sink.callback, sink._on_finished, channels)

        sink._device = LastingDevice(open_one, device, patience_s, sink._use, sink._on_failed)
        sink._device.check()  # it may have stopped before it was known here
        return sink

    @property
    def underruns(self) -> int:
        """How often speech paused between the first chunk of an utterance and its end."""
        return self._rebuffer.underruns

    @property
    def position_s(self) -> float:
        """Seconds that left the loudspeaker: those the device took, less what it still buffers."""
        queue, buffered = self._queue, int(self._latency_s * self._queue.rate)
        return self._before_s + (queue.taken - queue.unheard(buffered)) / queue.rate

    async def write(self, chunk: AudioChunk) -> None:
        """Queue a chunk; waits while more than the bound is queued. Cancelling it loses the chunk.

        Raises:
            SinkError: The device has gone, and none came in its place; or the chunk has another rate, or
                other channels.
        """
        chunk.check_rate(self.sample_rate, self.channels)
        num_cleared = self._num_cleared
        await self._wait(lambda: not self._is_full)
        if num_cleared != self._num_cleared:  # it would be heard after the silence
            return
        scale = self._queue.rate / self.sample_rate
        places = [int(place * scale) for place in self._rebuffer.expect(chunk)]
        if chunk.pcm:
            self._queue.put(self._resampled(chunk.pcm), places)

    async def flush(self) -> PlaybackReport:
        """Wait until everything is played. Raises what `write` raises."""
        self._rebuffer.end()
        self._queue.put(self._resampled(b"", is_last=True))
        await self._wait(lambda: self._queue.queued == 0)
        await asyncio.sleep(self._latency_s)
        return PlaybackReport(self._before_s + self._queue.taken / self._queue.rate)

    async def clear(self) -> PlaybackReport:
        """Drop what is queued; what the device has buffered is still heard."""
        self._num_cleared += 1
        played_s, dropped = self.position_s, self._queue.clear()
        self._resampler = self._new_resampler()
        self._changed.set()
        return PlaybackReport(played_s, dropped / self._queue.rate)

    def pause(self) -> None:
        """Fall silent, and keep what is queued."""
        self._is_paused = True

    def resume(self) -> None:
        """Go on where it was paused."""
        self._is_paused = False

    async def aclose(self) -> None:
        """Close the device; whoever still waits for it goes on."""
        self._queue.rest()
        self._changed.set()
        if self._device is not None:
            await self._device.aclose()

    def callback(self, out: Any, frames: int, time: Any, status: Any) -> None:
        """Fill `out` with the next samples, or silence. Called by PortAudio."""
        self._calls += 1
        self.device_underruns += status is not None and status.output_underflow
        if self._is_paused:
            self._queue.silence(out)
            return
        self._queue.fill(out)

    @property
    def _latency_s(self) -> float:
        return 0.0 if self._device is None else self._device.latency_s

    def _use(self, stream: Any) -> None:
        """Go on with a device: what is queued goes to it."""
        self._before_s = self.position_s
        old, self._queue = self._queue, self._new_queue(int(stream.samplerate), int(stream.channels))
        rest = mixed(as_samples(old.rest(), old.channels), self._queue.channels)
        if old.rate != self._queue.rate:
            rest = soxr.resample(rest, old.rate, self._queue.rate)
        self._queue.put(rest.tobytes())
        self._resampler = self._new_resampler()

    @property
    def _is_full(self) -> bool:
        return self._queue.queued > self._queue.rate * max(self._max_queue_s, self._rebuffer.room_s)

    def _new_queue(self, rate: int, channels: int) -> SampleQueue:
        self._rebuffer.rate, low = rate, int(self._max_queue_s * rate) // 2
        return SampleQueue(self._rebuffer, low, lambda: self._soon(self._changed.set), channels)

    def _new_resampler(self) -> Any:
        source, target = self.sample_rate, self._queue.rate
        if source == target:
            return None
        # Low quality has the shortest delay of those that suppress aliases.
        return soxr.ResampleStream(source, target, self._queue.channels, dtype="int16", quality="LQ")

    def _resampled(self, pcm: bytes, is_last: bool = False) -> bytes:
        """Return samples as the device takes them."""
        samples = mixed(as_samples(pcm, self.channels), self._queue.channels)
        if self._resampler is not None:
            samples = self._resampler.resample_chunk(samples, last=is_last)
            self._resampler = self._new_resampler() if is_last else self._resampler
        return bytes(samples.astype("<i2", copy=False).tobytes())

    async def _wait(self, condition: Callable[[], bool]) -> None:
        while self._error is None and not condition():
            self._changed.clear()
            calls = self._calls
            if condition():  # it has come true before the clearing
                break
            try:
                await asyncio.wait_for(self._changed.wait(), STALL_S)
            except TimeoutError:
                if self._device is not None:
                    self._device.check(is_stuck=calls == self._calls)
        if self._error is not None:
            raise self._error

    def _soon(self, call: Callable[[], None]) -> None:
        """Call something on the event loop, from any thread."""
        with contextlib.suppress(RuntimeError):  # the loop is gone, and whoever waited with it
            self._loop.call_soon_threadsafe(call)

    def _on_finished(self) -> None:
        self._soon(lambda: None if self._device is None else self._device.check())

    def _on_failed(self, error: SinkError) -> None:
        self._error = error
        self._changed.set()
