from __future__ import annotations

import asyncio
import importlib.abc
import sys
from collections.abc import Callable, Sequence
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any

import pytest
from moss_stream.adapters.speaker import SpeakerSink

from moss_stream import AudioChunk, MissingDependency, Sink, SinkError
from moss_stream.audio import FRAME_S, FRAME_SAMPLES


def chunk(index: int) -> AudioChunk:
    """The frame with that number; its samples hold the number plus one."""
    pcm = (index + 1).to_bytes(2, "little") * FRAME_SAMPLES
    return AudioChunk(pcm, 24_000, index, index * FRAME_S, FRAME_S, 0)


END = AudioChunk(b"", 24_000, 9, 0.72, 0.0, 0, is_final=True)


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


class Device:
    """A stand-in for sounddevice.RawOutputStream."""

    latency = 0.0

    def __init__(self, **options: Any) -> None:
        self.options = options
        self.log: list[str] = []

    def start(self) -> None:
        self.log.append("start")

    def abort(self) -> None:
        self.log.append("abort")

    def close(self) -> None:
        self.log.append("close")


class PortAudioError(Exception):
    """As sounddevice has it."""


def sounddevice(make: Callable[..., Device] = Device) -> ModuleType:
    """A stand-in for the library."""
    module = ModuleType("sounddevice")
    vars(module).update(RawOutputStream=make, PortAudioError=PortAudioError)
    return module


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
    assert pull(sink, 5) == [0] * 5 and sink.underruns == 0
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
    assert await settled(writing)
    flushing = asyncio.create_task(sink.flush())
    assert not await settled(flushing)
    assert (await sink.clear()).dropped_s == pytest.approx(0.08)
    assert await settled(flushing) and (await flushing).played_s == 0


async def test_clear_during_a_callback_keeps_the_sink_in_step() -> None:
    """A block the device takes while the queue is cleared neither comes back nor stops the next flush."""
    sink = SpeakerSink()
    await sink.write(chunk(0))

    class Block(bytearray):
        """Clears the sink while it is filled, as a program does on another thread."""

        def __setitem__(self, where: Any, value: Any) -> None:
            with pytest.raises(StopIteration):
                sink.clear().send(None)
            super().__setitem__(where, value)

    sink.callback(Block(200), 100, None, None)
    await sink.write(chunk(1))
    flushing = asyncio.create_task(sink.flush())
    assert pull(sink, FRAME_SAMPLES - 50) == [2] * (FRAME_SAMPLES - 50)
    assert not await settled(flushing)
    assert pull(sink, 51) == [2] * 50 + [0]
    assert (await flushing).played_s == pytest.approx(0.08 + 100 / 24_000)


async def test_open_starts_the_device(monkeypatch: pytest.MonkeyPatch) -> None:
    """The device is opened for 24 kHz mono int16 with the given name and latency, and closed once."""
    monkeypatch.setitem(sys.modules, "sounddevice", sounddevice())
    sink = SpeakerSink.open("hw:1", latency_s=0.2)
    device = sink._device
    assert {**device.options, "callback": None} == {
        "samplerate": 24_000,
        "channels": 1,
        "dtype": "int16",
        "device": "hw:1",
        "latency": 0.2,
        "callback": None,
    }
    await sink.write(chunk(0))
    device.options["callback"](bytearray(20), 10, None, None)
    assert sink.position_s == pytest.approx(10 / 24_000)
    await sink.aclose()
    await sink.aclose()
    assert device.log == ["start", "abort", "close"]


async def test_the_position_leaves_out_what_the_device_buffers(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the device took but did not play yet is not counted as heard."""
    monkeypatch.setitem(sys.modules, "sounddevice", sounddevice())
    sink = SpeakerSink.open()
    sink._device.latency = 0.05
    await sink.write(chunk(0))
    assert sink.position_s == 0.0
    pull(sink, FRAME_SAMPLES)
    assert sink.position_s == pytest.approx(0.03)
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


@pytest.mark.parametrize(
    "error", [PortAudioError("Invalid sample rate"), ValueError("No output device matching 'x'")]
)
async def test_a_device_that_does_not_open_is_a_sink_error(
    monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    """A device that is not there or refuses the rate is a sentence with its name and the reason."""

    def fail(**options: Any) -> Device:
        raise error

    monkeypatch.setitem(sys.modules, "sounddevice", sounddevice(fail))
    with pytest.raises(SinkError, match=f"'x' cannot be opened .{error}") as caught:
        SpeakerSink.open("x")
    assert "moss-stream doctor" in str(caught.value)


async def test_a_device_that_does_not_start_is_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    """The default device that opens but does not start is given back, and the error says which it was."""

    class Busy(Device):
        def start(self) -> None:
            devices.append(self)
            raise PortAudioError("Device unavailable")

    devices: list[Device] = []
    monkeypatch.setitem(sys.modules, "sounddevice", sounddevice(Busy))
    with pytest.raises(SinkError, match="^The default sound device cannot be opened .Device unavailable"):
        SpeakerSink.open()
    assert devices[0].log == ["close"]


async def test_without_sounddevice(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the library the error names the command that installs it."""
    monkeypatch.setitem(sys.modules, "sounddevice", None)
    with pytest.raises(MissingDependency, match=r"pip install moss-stream\[speaker\]"):
        SpeakerSink.open()


class NoPortAudio(importlib.abc.MetaPathFinder):
    """Finds a sounddevice that fails as the library does where PortAudio is not installed."""

    def find_spec(
        self, name: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if name == "sounddevice":
            raise OSError("PortAudio library not found")
        return None


async def test_without_portaudio(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without PortAudio the error says what to install."""
    monkeypatch.delitem(sys.modules, "sounddevice", raising=False)
    monkeypatch.setattr(sys, "meta_path", [NoPortAudio(), *sys.meta_path])
    with pytest.raises(SinkError, match="apt install libportaudio2"):
        SpeakerSink.open()


async def test_the_speaker_is_a_sink() -> None:
    """The loudspeaker can stand wherever a sink is asked for."""
    sink: Sink = SpeakerSink()
    assert sink.sample_rate == 24_000 and sink.position_s == 0.0
