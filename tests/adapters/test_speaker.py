from __future__ import annotations

import asyncio
import dataclasses
import sys
from typing import Any

import numpy as np
import pytest
from fakes import FRAME_SAMPLES, TONE_PEAK, StereoFake, is_silent, is_tone, synthesizer_on
from moss_stream.adapters import speaker
from moss_stream.adapters.speaker import SpeakerSink
from sound import Device, PortAudioError, sounddevice

from moss_stream import AudioChunk, Sink, SinkError, play
from moss_stream.audio import FRAME_S


def chunk(index: int) -> AudioChunk:
    """The frame with that number; its samples hold the number plus one."""
    pcm = (index + 1).to_bytes(2, "little") * FRAME_SAMPLES
    return AudioChunk(pcm, 24_000, index, index * FRAME_S, FRAME_S)


END = AudioChunk(b"", 24_000, 9, 0.72, 0.0, is_final=True)


def pull(sink: SpeakerSink, samples: int) -> list[int]:
    """Ask for samples as PortAudio does; return them."""
    out = bytearray(b"\xaa" * (2 * samples))
    sink.callback(memoryview(out), samples, None, None)
    return memoryview(out).cast("h").tolist()


async def settled(task: asyncio.Task[Any]) -> bool:
    """Let everything that is ready run; tell whether the task is done."""
    for _ in range(5):
        await asyncio.sleep(0)
    return task.done()


async def test_samples_come_out_in_order() -> None:
    """Blocks of the device that do not fit the chunks get every sample once, in order."""
    sink = SpeakerSink()
    for index in range(3):
        await sink.write(chunk(index))
    played = [sample for size in (700, 2000, 1, 3059) for sample in pull(sink, size)]
    assert played == [1] * FRAME_SAMPLES + [2] * FRAME_SAMPLES + [3] * FRAME_SAMPLES
    assert sink.position_s == pytest.approx(0.24) and sink.underruns == 0


async def test_an_empty_queue_is_silence() -> None:
    """Where there is nothing to play the device gets zeros, not what was in its buffer."""
    sink = SpeakerSink()
    assert pull(sink, 100) == [0] * 100
    await sink.write(chunk(0))
    assert pull(sink, FRAME_SAMPLES + 2)[-3:] == [1, 0, 0]
    assert sink.position_s == pytest.approx(0.08)


async def test_write_waits_while_enough_is_queued() -> None:
    """A stream that is faster than the loudspeaker waits for it, and goes on when half is played."""
    sink = SpeakerSink(max_queue_s=0.16)
    for index in range(3):
        await sink.write(chunk(index))
    writing = asyncio.create_task(sink.write(chunk(3)))
    assert not await settled(writing)
    pull(sink, FRAME_SAMPLES)
    assert not await settled(writing)  # not woken before the queue has fallen to half
    pull(sink, FRAME_SAMPLES)
    assert await settled(writing)
    assert pull(sink, 2 * FRAME_SAMPLES) == [3] * FRAME_SAMPLES + [4] * FRAME_SAMPLES


async def test_an_underrun_is_counted_inside_an_utterance_only() -> None:
    """Silence before the first chunk and after the flush is no underrun; a gap in between is."""
    sink = SpeakerSink()
    pull(sink, 10)
    assert sink.underruns == 0
    await sink.write(chunk(0))
    pull(sink, FRAME_SAMPLES + 10)
    assert sink.underruns == 1
    await sink.write(chunk(1))
    pull(sink, FRAME_SAMPLES)
    await sink.write(END)
    await sink.flush()
    pull(sink, 10)
    assert sink.underruns == 1


async def test_the_final_chunk_begins_no_utterance() -> None:
    """A stream that ends without a sample causes no underrun."""
    sink = SpeakerSink()
    await sink.write(END)
    pull(sink, 10)
    assert sink.underruns == 0


def slow(index: int) -> AudioChunk:
    """A frame of a machine that is slower than real time, with much to come."""
    return dataclasses.replace(chunk(index), rtf=1.3, left_s=9.0)


async def test_a_slow_machine_is_collected_for() -> None:
    """Nothing is heard until enough is there; however little a sink holds otherwise, it takes that much."""
    sink = SpeakerSink(max_queue_s=0.16)
    for index in range(18):
        await sink.write(slow(index))
        assert not any(pull(sink, 100)) and sink.underruns == 0
    await sink.write(slow(18))
    assert any(pull(sink, 100))


async def test_what_is_collected_and_cleared_is_never_heard() -> None:
    """Nothing was sounding, so nothing is faded out."""
    sink = SpeakerSink()
    await sink.write(chunk(0))
    pull(sink, FRAME_SAMPLES + 10)
    await sink.write(slow(1))
    assert (await sink.clear()).dropped_s == pytest.approx(0.08)
    assert not any(pull(sink, FRAME_SAMPLES))


async def test_flush_waits_until_all_is_played() -> None:
    """A flush ends when the device took the last sample, and reports what was played."""
    sink = SpeakerSink()
    await sink.write(chunk(0))
    flushing = asyncio.create_task(sink.flush())
    assert not await settled(flushing)
    pull(sink, FRAME_SAMPLES - 1)
    assert not await settled(flushing)
    pull(sink, 100)
    report = await flushing
    assert report.played_s == pytest.approx(0.08) and report.dropped_s == 0 and sink.underruns == 0


async def test_flush_of_nothing_returns() -> None:
    """A flush without audio does not wait."""
    assert (await SpeakerSink().flush()).played_s == 0


async def test_clear_drops_what_is_not_played() -> None:
    """After an interruption there is silence, a report of what was lost, and then the new speech."""
    sink = SpeakerSink()
    for index in range(2):
        await sink.write(chunk(index))
    pull(sink, 480)
    report = await sink.clear()
    assert report.played_s == pytest.approx(0.02) and report.dropped_s == pytest.approx(0.14)
    faded = pull(sink, 125)
    assert set(faded[:120]) == {0, 1} and faded[120:] == [0] * 5 and sink.underruns == 0
    await sink.write(chunk(2))
    assert pull(sink, 5) == [3] * 5


async def test_clear_wakes_who_waits() -> None:
    """A write that waits for the loudspeaker goes on when the queue is cleared, and so does a flush."""
    sink = SpeakerSink(max_queue_s=0.08)
    for index in range(2):
        await sink.write(chunk(index))
    writing = asyncio.create_task(sink.write(chunk(2)))
    assert not await settled(writing)
    await sink.clear()
    assert await settled(writing) and not any(pull(sink, FRAME_SAMPLES)), "no late audio"
    await sink.write(chunk(2))
    flushing = asyncio.create_task(sink.flush())
    assert not await settled(flushing)
    assert (await sink.clear()).dropped_s == pytest.approx(0.08)
    assert await settled(flushing) and (await flushing).played_s == 0


async def test_an_opened_device_plays(monkeypatch: pytest.MonkeyPatch) -> None:
    """The device takes samples, and is closed once."""
    monkeypatch.setitem(sys.modules, "sounddevice", sounddevice(lambda **options: devices[0]))
    devices = [Device(samplerate=24_000)]
    sink = SpeakerSink.open("hw:1")
    await sink.write(chunk(0))
    pull(sink, 10)
    assert sink.position_s == pytest.approx(10 / 24_000)
    await sink.aclose()
    await sink.aclose()
    assert devices[0].log == ["start", "abort", "close"]


async def test_the_position_leaves_out_what_the_device_buffers(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the device took but did not play yet is not counted as heard."""
    monkeypatch.setitem(sys.modules, "sounddevice", sounddevice())
    monkeypatch.setattr(Device, "latency", 0.05)
    sink = SpeakerSink.open()
    await sink.write(chunk(0))
    assert sink.position_s == 0.0
    pull(sink, FRAME_SAMPLES)
    assert sink.position_s == pytest.approx(0.03)
    pull(sink, FRAME_SAMPLES)
    assert sink.position_s == pytest.approx(0.08), "silence has pushed the rest out"
    await sink.aclose()


async def test_closing_wakes_who_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    """A flush under way does not wait for ever for a device that was closed."""
    monkeypatch.setitem(sys.modules, "sounddevice", sounddevice())
    sink = SpeakerSink.open()
    await sink.write(chunk(0))
    flushing = asyncio.create_task(sink.flush())
    assert not await settled(flushing)
    await sink.aclose()
    assert (await flushing).played_s == 0


async def test_a_device_with_another_rate_is_resampled_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """A device at 48 kHz gets two samples for one, and all of them; the position stays in seconds."""

    class Only48(Device):
        def __init__(self, **options: Any) -> None:
            if options["samplerate"] != 48_000:
                raise PortAudioError("Invalid sample rate", -9997)
            super().__init__(**options)
            devices.append(self)

    devices: list[Device] = []
    monkeypatch.setitem(sys.modules, "sounddevice", sounddevice(Only48))
    sink = SpeakerSink.open()
    t = np.arange(5 * FRAME_SAMPLES) / 24_000
    tone = (np.sin(2 * np.pi * 440 * t) * 8000).astype("<i2")
    for index in range(5):
        part = tone[index * FRAME_SAMPLES : (index + 1) * FRAME_SAMPLES]
        await sink.write(AudioChunk(part.tobytes(), 24_000, index, 0.0, FRAME_S))
    flushing = asyncio.create_task(sink.flush())
    await asyncio.sleep(0)
    played = np.array(devices[0].pull(2 * len(tone) + 10)[: 2 * len(tone)], dtype=float)
    assert (await flushing).played_s == pytest.approx(0.4)
    wanted = np.sin(2 * np.pi * 440 * np.arange(2 * len(tone)) / 48_000) * 8000
    assert np.abs(played - wanted)[500:-500].max() < 100
    await sink.aclose()


async def test_an_unplugged_device_is_survived(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the device had not taken is heard on the next one, whatever rate that has; nobody hangs."""

    class Unplugged(Device):
        def __init__(self, **options: Any) -> None:
            if devices and options["samplerate"] != 48_000:
                raise PortAudioError("Invalid sample rate", -9997)
            super().__init__(**options)
            devices.append(self)
            loop.call_soon_threadsafe(came.set)

    loop, came = asyncio.get_running_loop(), asyncio.Event()
    devices: list[Device] = []
    monkeypatch.setitem(sys.modules, "sounddevice", sounddevice(Unplugged))
    sink = SpeakerSink.open()
    for index in range(2):
        await sink.write(chunk(index))
    devices[0].pull(FRAME_SAMPLES)
    flushing = asyncio.create_task(sink.flush())
    await asyncio.sleep(0)
    came.clear()
    devices[0].go()
    await came.wait()
    while not any(devices[1].pull(1)):
        await asyncio.sleep(0)
    assert devices[1].pull(2 * FRAME_SAMPLES)[:1000] == [2] * 1000
    assert (await flushing).played_s == pytest.approx(0.16, abs=0.001)
    await sink.aclose()


async def test_a_device_that_takes_nothing_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """A device can go without PortAudio saying so; who waits for it goes on with another one."""
    monkeypatch.setattr(speaker, "STALL_S", 0.0)
    second = asyncio.Event()
    loop = asyncio.get_running_loop()

    def make(**options: Any) -> Device:
        if devices:
            loop.call_soon_threadsafe(second.set)
        devices.append(Device(**options))
        return devices[-1]

    devices: list[Device] = []
    monkeypatch.setitem(sys.modules, "sounddevice", sounddevice(make))
    sink = SpeakerSink.open()
    await sink.write(chunk(0))
    flushing = asyncio.create_task(sink.flush())
    await second.wait()
    assert "close" in devices[0].log
    while not any(devices[-1].pull(1)):
        await asyncio.sleep(0)
    while not flushing.done():
        devices[-1].pull(FRAME_SAMPLES)
        await asyncio.sleep(0)
    await sink.aclose()


async def test_a_device_that_does_not_come_back_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who waits for the loudspeaker, and who comes later, is told that there is none any more."""

    def make(**options: Any) -> Device:
        if devices:
            raise PortAudioError("Device unavailable", -9985)
        devices.append(Device(**options))
        return devices[0]

    devices: list[Device] = []
    monkeypatch.setitem(sys.modules, "sounddevice", sounddevice(make))
    sink = SpeakerSink.open(patience_s=0.0)
    await sink.write(chunk(0))
    flushing = asyncio.create_task(sink.flush())
    await asyncio.sleep(0)
    devices[0].go()
    with pytest.raises(SinkError, match="The sound device has gone"):
        await flushing
    with pytest.raises(SinkError, match="Connect one"):
        await sink.write(chunk(1))
    await sink.aclose()


async def test_late_callbacks_are_counted_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    """PortAudio says when it was served too late; that is not the stream's fault."""

    class Flags:
        output_underflow = True

    sink = SpeakerSink()
    sink.callback(bytearray(20), 10, None, Flags())
    assert (sink.device_underruns, sink.underruns) == (1, 0)


async def test_the_speaker_is_a_sink() -> None:
    """The loudspeaker can stand wherever a sink is asked for."""
    sink: Sink = SpeakerSink()
    assert sink.sample_rate == 24_000 and sink.position_s == 0.0


async def heard(monkeypatch: pytest.MonkeyPatch, channels: int) -> np.ndarray[Any, np.dtype[np.int16]]:
    """What a device with so many channels plays of a stereo stream."""
    devices: list[Device] = []

    def make(**options: Any) -> Device:
        devices.append(Device(**options))
        return devices[0]

    monkeypatch.setitem(sys.modules, "sounddevice", sounddevice(make, channels=channels))
    async with await synthesizer_on(StereoFake(frames_per_segment=5)) as synth:
        sink = SpeakerSink.open(sample_rate=synth.info.sample_rate, channels=synth.info.channels)
        playing = play(synth.stream("Hello."), sink)
        samples: list[int] = []
        while not playing._task.done():
            samples += devices[0].pull(480) if sink._queue.queued else []
            await asyncio.sleep(0)
        assert (await playing).played_s == pytest.approx(0.4) == sink.position_s
        await sink.aclose()
    assert devices[0].options["samplerate"] == 48_000
    played = np.array(samples, dtype=np.int16).reshape(-1, devices[0].channels)
    sounding = np.flatnonzero(played.any(axis=1))
    return played[sounding[0] : sounding[-1]]


async def test_a_stereo_device_plays_left_and_right(monkeypatch: pytest.MonkeyPatch) -> None:
    """The tone is on the left alone."""
    samples = await heard(monkeypatch, channels=2)
    assert is_tone(samples[:, 0], 48_000) and is_silent(samples[:, 1])


async def test_a_device_with_one_channel_plays_both_mixed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is lost, and nothing is played at half its speed."""
    samples = await heard(monkeypatch, channels=1)
    assert samples.shape[1] == 1 and len(samples) / 48_000 == pytest.approx(0.4, abs=0.001)
    assert is_tone(samples[:, 0], 48_000, TONE_PEAK / 2)


async def test_stereo_into_a_mono_speaker_is_refused() -> None:
    """The sentence says what to do."""
    stereo = AudioChunk(bytes(8), 24_000, 0, 0.0, FRAME_S, channels=2)
    with pytest.raises(SinkError, match="takes mono, and this chunk is stereo. Use play"):
        await SpeakerSink().write(stereo)


async def test_a_cleared_stereo_queue_fades_both_sides_alike() -> None:
    """Left and right do not change places, also where a tail of it is faded out."""
    sink = SpeakerSink(sample_rate=1000, channels=2)
    pcm = np.tile(np.array([1000, -500], "<i2"), 80).tobytes()
    await sink.write(AudioChunk(pcm, 1000, 0, 0.0, FRAME_S, channels=2))
    out = bytearray(4 * 10)
    sink.callback(memoryview(out), 10, None, None)
    assert (await sink.clear()).dropped_s == pytest.approx(0.07)
    sink.callback(memoryview(out), 10, None, None)
    samples = np.frombuffer(out, "<i2").reshape(-1, 2)
    assert samples[:5].tolist() == [[1000, -500], [750, -375], [500, -250], [250, -125], [0, 0]]
