"""A WebRTC call, through aiortc (extra: webrtc)."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from fractions import Fraction
from typing import Any

import numpy as np
import numpy.typing as npt

from moss_stream import AudioChunk, MissingDependency, PlaybackReport, Rebuffer
from moss_stream.audio import mixed

from .pcm_queue import PacketClock, PcmQueue

__all__ = ["WebRTCSink"]

RATE_HZ = 48_000
"""Opus runs at 48 kHz, whatever it is given."""
CHANNELS = 2
"""aiortc's encoder makes stereo of everything, and takes no change of layout in mid-call."""
BLOCK = 960
"""20 ms. aiortc gives all packets of one frame the same timestamp, so longer frames lose audio."""


class WebRTCSink:
    """Speaks into a call; a `moss_stream.Sink`. Give `track` to `RTCPeerConnection.addTrack`.

    Takes chunks of any rate, mono or stereo, the same for a whole utterance, and sends stereo, as aiortc's
    Opus always does. A peer that does not ask for it (`stereo=1` in its SDP) may play it mixed.

    The track sends 20 ms at a time by a clock of its own: speech, or silence where there is none, since a
    call needs packets. After a stall of the event loop the missed packets are skipped, and timestamps with
    them; nothing is sent in a burst, and no speech is lost. A machine that is slower than real time is heard
    with few long pauses (`moss_stream.Rebuffer`).

    Args:
        max_queue_s: How much audio `write` takes ahead of the call.
        preroll_s: Speech that must be there before any of it is sent.
        clock: Seconds that never go back.

    Raises:
        MissingDependency: aiortc is not installed.
    """

    sample_rate = None
    channels = None

    def __init__(
        self,
        max_queue_s: float = 0.5,
        preroll_s: float = 0.08,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._max_queue_s = max_queue_s
        self._rebuffer = Rebuffer(RATE_HZ, preroll_s)
        self._queue = PcmQueue(self._rebuffer, CHANNELS)
        self._packets = PacketClock(BLOCK / RATE_HZ)
        self._clock = clock
        self._room = asyncio.Event()
        self._is_paused = False
        self._num_cleared = 0
        self._resampler: Any = None
        self.track = _make_track(self)
        """The media track of the call."""

    @property
    def underruns(self) -> int:
        """How often speech paused before its end."""
        return self._rebuffer.underruns

    @property
    def skipped(self) -> int:
        """Blocks of 20 ms that were left out, because the event loop had stalled."""
        return self._packets.skipped

    @property
    def position_s(self) -> float:
        """Seconds that were given to the call; the network and the far end add their delay."""
        return self._queue.played / RATE_HZ

    async def write(self, chunk: AudioChunk) -> None:
        """Queue a chunk; waits while more than the bound is queued."""
        num_cleared = self._num_cleared
        while self._is_full and self.track.readyState == "live":
            await self._wait()
        if num_cleared != self._num_cleared:  # it would be heard after the silence
            return
        places = self._rebuffer.expect(chunk)
        if chunk.pcm:
            scale = RATE_HZ / chunk.sample_rate
            self._queue.put(self._resample(chunk), (int(scale * place) for place in places))

    async def flush(self) -> PlaybackReport:
        """Wait until everything is sent."""
        self._queue.put(self._rest())
        self._rebuffer.end()
        while self._queue.queued and self.track.readyState == "live":
            await self._wait()
        return PlaybackReport(self.position_s, self._queue.queued / RATE_HZ)

    async def clear(self) -> PlaybackReport:
        """Drop what is not sent yet, but for a fade of 5 ms."""
        self._resampler = None
        self._num_cleared += 1
        dropped = self._queue.clear()
        self._room.set()
        return PlaybackReport(self.position_s, dropped / RATE_HZ)

    def pause(self) -> None:
        """Send silence, and keep what is queued."""
        self._is_paused = True

    def resume(self) -> None:
        """Go on where it was paused."""
        self._is_paused = False

    async def aclose(self) -> None:
        """End the track."""
        await self.clear()
        self.track.stop()

    async def block(self) -> tuple[int, npt.NDArray[np.int16]]:
        """Wait for the next packet; return its number and its samples [960, 2]."""
        packet, wait_s = self._packets.next(self._clock())
        if wait_s:
            await asyncio.sleep(wait_s)
        samples = _silence(BLOCK) if self._is_paused else self._queue.take(BLOCK)
        self._room.set()
        return packet, samples

    @property
    def _is_full(self) -> bool:
        return self._queue.queued > RATE_HZ * max(self._max_queue_s, self._rebuffer.room_s)

    async def _wait(self) -> None:
        self._room.clear()
        await self._room.wait()

    def _resample(self, chunk: AudioChunk) -> npt.NDArray[np.int16]:
        import av

        if self._resampler is None:
            self._resampler = av.AudioResampler(format="s16", layout="stereo", rate=RATE_HZ)
        flat = mixed(chunk.samples, CHANNELS).reshape(1, -1)
        frame = av.AudioFrame.from_ndarray(flat, format="s16", layout="stereo")
        frame.sample_rate = chunk.sample_rate
        return _joined(self._resampler.resample(frame))

    def _rest(self) -> npt.NDArray[np.int16]:
        """Return what the resampler still holds, and begin anew."""
        resampler, self._resampler = self._resampler, None
        return _joined([] if resampler is None else resampler.resample(None))


def _joined(frames: list[Any]) -> npt.NDArray[np.int16]:
    parts = [frame.to_ndarray().reshape(-1, CHANNELS) for frame in frames]
    return np.concatenate(parts) if parts else _silence(0)


def _silence(count: int) -> npt.NDArray[np.int16]:
    return np.zeros((count, CHANNELS), dtype=np.int16)


def _make_track(sink: WebRTCSink) -> Any:
    """Return aiortc's view of a sink; its base class is only there once aiortc is imported."""
    try:
        from aiortc import MediaStreamTrack
        from aiortc.mediastreams import MediaStreamError
        from av import AudioFrame
    except ImportError as error:
        raise MissingDependency("Speaking into a WebRTC call needs aiortc", "webrtc") from error

    class Track(MediaStreamTrack):  # type: ignore[misc, unused-ignore]
        kind = "audio"

        async def recv(self) -> AudioFrame:
            if self.readyState != "live":
                raise MediaStreamError
            packet, samples = await sink.block()
            frame = AudioFrame.from_ndarray(samples.reshape(1, -1), format="s16", layout="stereo")
            frame.sample_rate, frame.pts, frame.time_base = RATE_HZ, packet * BLOCK, Fraction(1, RATE_HZ)
            return frame

    return Track()
