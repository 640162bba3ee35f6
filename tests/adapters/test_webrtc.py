from __future__ import annotations

import asyncio
import sys
import time
from typing import Any

import numpy as np
import pytest
from aiortc import RTCPeerConnection
from aiortc.mediastreams import MediaStreamError
from fakes import FRAME_SAMPLES, TONE_PEAK, StereoFake, synthesizer_on
from moss_stream.adapters.webrtc import WebRTCSink

from moss_stream import AudioChunk, MissingDependency, play
from moss_stream.audio import FRAME_S


def tone(index: int, hz: float = 440.0) -> AudioChunk:
    """Frame `index` of a sine."""
    t = (np.arange(FRAME_SAMPLES) + index * FRAME_SAMPLES) / 24_000
    samples = (np.sin(2 * np.pi * hz * t) * 8000).astype("<i2")
    return AudioChunk(samples.tobytes(), 24_000, index, index * FRAME_S, FRAME_S)


async def connected(sink: WebRTCSink) -> tuple[RTCPeerConnection, RTCPeerConnection, Any]:
    """Two peers on loopback; what the second one receives."""
    here, there = RTCPeerConnection(), RTCPeerConnection()
    arrived: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
    there.on("track", arrived.set_result)
    here.addTrack(sink.track)
    await here.setLocalDescription(await here.createOffer())
    await there.setRemoteDescription(here.localDescription)
    await there.setLocalDescription(await there.createAnswer())
    await here.setRemoteDescription(there.localDescription)
    return here, there, await arrived


def samples_of(frame: Any) -> np.ndarray[Any, Any]:
    return np.asarray(frame.to_ndarray().reshape(-1, len(frame.layout.channels))[:, 0])


async def test_a_peer_hears_every_frame() -> None:
    """Two real peers: the timestamps go on by 960 (20 ms), and the tone arrives whole, with its pitch."""
    sink = WebRTCSink()
    here, there, track = await connected(sink)
    heard: list[np.ndarray[Any, Any]] = []
    stamps: list[int] = []

    async def speech() -> Any:
        for index in range(25):
            yield tone(index)

    playing = play(speech(), sink)
    while sum(map(len, heard)) < 3 * 48_000:
        frame = await track.recv()
        heard.append(samples_of(frame))
        stamps.append(frame.pts)
    assert (await playing).played_s == pytest.approx(2.0, abs=0.01)
    await asyncio.gather(here.close(), there.close())
    steps = np.diff(stamps)
    # Slots are skipped where the machine stands still: whole frames of time, and never back.
    assert np.median(steps) == 960 and not (steps % 960).any() and steps.min() > 0
    audio = np.concatenate(heard).astype(float)
    loud = np.abs(audio) > 500
    first, last = int(loud.argmax()), len(loud) - int(loud[::-1].argmax())
    assert (last - first) / 48_000 == pytest.approx(2.0, abs=0.05)
    speech_part = audio[first:last] * np.hanning(last - first)
    spectrum = np.abs(np.fft.rfft(speech_part)) ** 2
    near = np.abs(np.fft.rfftfreq(last - first, 1 / 48_000) - 440) < 10
    assert spectrum[near].sum() / spectrum.sum() > 0.95
    assert sink.underruns == 0


async def test_the_track_sends_silence_speech_and_silence() -> None:
    """A call always gets packets; the position counts speech alone."""
    now_s = 0.0
    sink = WebRTCSink(clock=lambda: now_s)

    async def block() -> np.ndarray[Any, Any]:
        nonlocal now_s
        now_s += 0.02
        samples: np.ndarray[Any, Any] = (await sink.block())[1]
        return samples

    assert not (await block()).any() and sink.position_s == 0.0
    for index in range(2):
        await sink.write(tone(index))
    flushing = asyncio.create_task(sink.flush())
    await asyncio.sleep(0)
    blocks = [await block() for _ in range(12)]
    assert (await flushing).played_s == pytest.approx(0.16, abs=0.001) == sink.position_s
    assert [bool(each.any()) for each in blocks[:8]] == [True] * 8 and not blocks[-1].any()
    sink.pause()
    await sink.write(tone(0))
    await sink.write(tone(1))
    assert not (await block()).any()
    sink.resume()
    assert (await block()).any()
    report = await sink.clear()
    assert report.dropped_s == pytest.approx(0.14, abs=0.002)


async def test_writing_waits_while_much_is_queued() -> None:
    """It goes on as the call takes blocks, or when the queue is cleared."""
    now_s = 0.0
    sink = WebRTCSink(max_queue_s=0.1, clock=lambda: now_s)
    for index in range(2):
        await sink.write(tone(index))
    writing = asyncio.create_task(sink.write(tone(2)))
    await asyncio.sleep(0)
    assert not writing.done()
    for _ in range(6):
        now_s += 0.02
        await sink.block()
        await asyncio.sleep(0)
    await writing
    stuck = asyncio.create_task(sink.write(tone(3)))
    await asyncio.sleep(0)
    await sink.clear()
    await stuck
    now_s += 0.02
    await sink.block()  # the fade
    for _ in range(6):
        now_s += 0.02
        assert not (await sink.block())[1].any(), "no late audio"


async def test_a_stalled_loop_skips_and_does_not_burst() -> None:
    """After half a second without the loop one jump of the timestamps follows, and no speech is lost."""
    sink = WebRTCSink(max_queue_s=5.0)
    for index in range(10):
        await sink.write(tone(index))
    stamps, times = [], []
    for number in range(12):
        frame = await sink.track.recv()
        stamps.append(frame.pts)
        times.append(time.monotonic())
        if number == 3:
            time.sleep(0.5)  # noqa: ASYNC251 (the stall)
    jumps = np.diff(stamps)
    assert (jumps != 960).sum() == 1 and jumps.max() >= 20 * 960 and sink.skipped >= 20
    assert min(np.diff(times[5:])) > 0.005, "what was missed is not sent in a burst"
    assert sink.position_s == pytest.approx(0.24, abs=0.01)


async def test_a_closed_track_ends() -> None:
    """Aiortc is told so the way it expects; whoever waits goes on."""
    sink = WebRTCSink(max_queue_s=0.0)
    await sink.write(tone(0))
    await sink.aclose()
    await sink.aclose()
    with pytest.raises(MediaStreamError):
        await sink.track.recv()
    await sink.write(tone(1))
    assert (await sink.flush()).dropped_s == pytest.approx(0.08, abs=0.002)


async def test_without_aiortc_the_error_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    """The extra is named."""
    monkeypatch.setitem(sys.modules, "aiortc", None)
    with pytest.raises(MissingDependency, match=r"moss-stream\[webrtc\]"):
        WebRTCSink()


async def test_a_peer_hears_left_on_the_left() -> None:
    """Two real peers: of a 48 kHz stereo stream the tone arrives on the left, and silence on the right."""
    sink = WebRTCSink()
    here, there, track = await connected(sink)
    heard: list[np.ndarray[Any, Any]] = []
    async with await synthesizer_on(StereoFake(frames_per_segment=25)) as synth:
        playing = play(synth.stream("Hello."), sink)
        while sum(map(len, heard)) < 3 * 48_000:
            heard.append((await track.recv()).to_ndarray().reshape(-1, 2))
        assert (await playing).played_s == pytest.approx(2.0, abs=0.01)
    await asyncio.gather(here.close(), there.close())
    audio = np.concatenate(heard)
    loud = np.flatnonzero(np.abs(audio[:, 0].astype(int)) > TONE_PEAK / 2)
    assert (loud[-1] - loud[0]) / 48_000 == pytest.approx(2.0, abs=0.05)
    speech = audio[loud[0] : loud[-1]].astype(float)
    assert np.std(speech[:, 0]) > 20 * np.std(speech[:, 1])
