"""The loudspeaker on a real sound server."""

from __future__ import annotations

import importlib
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fakes import FRAME_SAMPLES, FakeEngine, synthesizer_on
from moss_stream.adapters.speaker import SpeakerSink
from pulse import Pulse, needs_pulse

from moss_stream import AudioChunk, play
from moss_stream.audio import FRAME_S

pytestmark = [needs_pulse, pytest.mark.slow]
RATE = 24_000


@pytest.fixture
async def pulse(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Pulse]:
    """A daemon that PortAudio of this process finds."""
    pulse = Pulse(tmp_path)
    await pulse.start()
    for name, value in pulse.environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.delitem(sys.modules, "sounddevice", raising=False)
    sounddevice: Any = importlib.import_module("sounddevice")  # looks for devices anew
    yield pulse
    sounddevice._terminate()
    await pulse.stop()


def ramp(index: int) -> AudioChunk:
    """A frame whose samples are all different, from those of the other frames too."""
    first = 1 + index * FRAME_SAMPLES
    samples = (np.arange(first, first + FRAME_SAMPLES) % 30_011 + 1).astype("<i2")
    return AudioChunk(samples.tobytes(), RATE, index, index * FRAME_S, FRAME_S)


async def frames(count: int) -> AsyncIterator[AudioChunk]:
    for index in range(count):
        yield ramp(index)


async def test_every_sample_is_heard_in_order_without_gaps(pulse: Pulse) -> None:
    """Four seconds come out of the loudspeaker as they were made, sample by sample."""
    async with pulse.recorded() as recording:
        sink = SpeakerSink.open()
        report = await play(frames(50), sink)
        await recording.reach(len(recording.samples) + RATE // 2)
        await sink.aclose()
    wanted = np.concatenate([ramp(index).samples for index in range(50)])
    heard = np.trim_zeros(recording.samples)
    assert np.array_equal(heard, wanted)
    assert report.played_s == pytest.approx(4.0) and sink.underruns == 0


async def test_an_interruption_is_heard_at_once(pulse: Pulse) -> None:
    """Within 100 ms there is silence, and what is said to have been heard was heard, to 150 ms."""
    engine = FakeEngine(frames_per_segment=100)
    async with await synthesizer_on(engine) as synth, pulse.recorded() as recording:
        sink = SpeakerSink.open()
        playing = play(synth.stream("A long answer."), sink)
        while sink.position_s < 1.0:
            await recording.reach(len(recording.samples) + 1)
        interrupted_at = len(recording.samples)
        spoken = await playing.interrupt()
        await recording.reach(interrupted_at + RATE // 2)
        await sink.aclose()
    sounding = np.flatnonzero(recording.samples)
    assert (sounding[-1] - interrupted_at) / RATE < 0.1
    assert spoken is not None
    assert spoken.seconds == pytest.approx((sounding[-1] + 1 - sounding[0]) / RATE, abs=0.15)


async def test_a_sound_server_that_dies_is_survived(pulse: Pulse) -> None:
    """Speech goes on when it is there again; only what the device had taken already is lost."""
    sink = SpeakerSink.open()
    async with pulse.recorded() as recording:
        playing = play(frames(40), sink)
        while sink.position_s < 1.0:
            await recording.reach(len(recording.samples) + 1)
        await pulse.stop()
    await pulse.start()
    async with pulse.recorded() as again:
        assert (await playing).played_s == pytest.approx(3.2, abs=0.2)
        await again.reach(len(again.samples) + RATE // 4)
    await sink.aclose()
    rest = again.samples[again.samples != 0]
    wanted = np.concatenate([ramp(index).samples for index in range(40)])
    assert len(rest) > 2 * RATE and np.array_equal(rest, wanted[-len(rest) :])


async def test_pausing_keeps_every_sample(pulse: Pulse) -> None:
    """A pause is silence; afterwards the very next sample is heard."""
    async with pulse.recorded() as recording:
        sink = SpeakerSink.open()
        playing = play(frames(20), sink)
        while sink.position_s < 0.5:
            await recording.reach(len(recording.samples) + 1)
        playing.pause()
        paused_at = len(recording.samples)
        await recording.reach(paused_at + RATE // 2)
        playing.resume()
        await playing
        await recording.reach(len(recording.samples) + RATE // 4)
        await sink.aclose()
    samples = recording.samples
    assert not samples[paused_at + RATE // 4 : paused_at + RATE // 2 - RATE // 10].any()
    assert np.array_equal(samples[samples != 0], np.concatenate([ramp(i).samples for i in range(20)]))
