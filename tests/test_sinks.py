from __future__ import annotations

import wave
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from moss_stream import AudioChunk, MemorySink, Sink, SinkError, TeeSink, WavSink, play
from moss_stream.audio import FRAME_S, FRAME_SAMPLES


def chunk(index: int) -> AudioChunk:
    """The frame with that number; its samples hold the number."""
    pcm = index.to_bytes(2, "little") * FRAME_SAMPLES
    return AudioChunk(pcm, 24_000, index, index * FRAME_S, FRAME_S)


async def speech(num_frames: int) -> AsyncIterator[AudioChunk]:
    """Frames, and the final chunk without samples."""
    for index in range(num_frames):
        yield chunk(index)
    yield AudioChunk(b"", 24_000, num_frames, num_frames * FRAME_S, 0.0, is_final=True)


def expected(num_frames: int) -> bytes:
    """All PCM of `speech`."""
    return b"".join(chunk(index).pcm for index in range(num_frames))


def contents(path: Path) -> tuple[int, int, int, bytes]:
    """What a WAV reader finds: channels, bytes per sample, rate, PCM."""
    with wave.open(str(path), "rb") as file:
        return (
            file.getnchannels(),
            file.getsampwidth(),
            file.getframerate(),
            file.readframes(file.getnframes()),
        )


async def test_memory_sink_keeps_the_audio() -> None:
    """All PCM is there in order, counts as played, and stays after clearing and closing."""
    sink = MemorySink()
    report = await play(speech(3), sink)
    assert bytes(sink.pcm) == expected(3)
    assert report.played_s == sink.position_s == pytest.approx(0.24) and report.dropped_s == 0
    assert await sink.clear() == report
    await sink.aclose()
    await sink.aclose()
    assert bytes(sink.pcm) == expected(3)


async def test_wav_sink_writes_a_wav_file(tmp_path: Path) -> None:
    """The file is mono, 16 bits, 24 kHz, and holds every sample; an old file of that name is gone."""
    path = tmp_path / "a.wav"
    path.write_bytes(b"old" * 99_999)
    sink = WavSink(path)
    report = await play(speech(3), sink)
    await sink.aclose()
    assert contents(path) == (1, 2, 24_000, expected(3))
    assert report.played_s == pytest.approx(0.24) and report.dropped_s == 0


async def test_the_header_is_right_while_the_file_is_open(tmp_path: Path) -> None:
    """After each flush the file can be played although more is to come."""
    sink = WavSink(str(tmp_path / "a.wav"))
    for written in (1, 2, 3):
        await sink.write(chunk(written - 1))
        await sink.flush()
        assert contents(tmp_path / "a.wav")[3] == expected(written)
        assert sink.position_s == pytest.approx(written * FRAME_S)
    await sink.aclose()


async def test_cleared_audio_stays_in_the_file(tmp_path: Path) -> None:
    """An interrupted speech is in the file up to the interruption, and the next one after it."""
    sink = WavSink(tmp_path / "a.wav")
    await sink.write(chunk(0))
    assert (await sink.clear()).dropped_s == 0
    assert contents(tmp_path / "a.wav")[3] == expected(1)
    await sink.write(chunk(1))
    await sink.aclose()
    assert contents(tmp_path / "a.wav")[3] == expected(2)


async def test_a_wav_without_speech_is_valid(tmp_path: Path) -> None:
    """A sink that is closed before anything was written, even twice, leaves an empty recording."""
    sink = WavSink(tmp_path / "a.wav")
    await sink.aclose()
    await sink.aclose()
    assert contents(tmp_path / "a.wav") == (1, 2, 24_000, b"")


async def test_an_unwritable_path_is_named(tmp_path: Path) -> None:
    """A folder that is not there, or a path that is a folder, is a sentence with the path and the reason."""
    for path, why in ((tmp_path / "none" / "a.wav", "No such file"), (tmp_path, "Is a directory")):
        with pytest.raises(SinkError, match=f"cannot be written .{why}.*Choose another path") as caught:
            WavSink(path)
        assert str(path) in str(caught.value)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
async def test_a_full_disk_is_a_sink_error() -> None:
    """Speech that finds no room on the disk ends in a sentence, and the sink can still be closed."""
    sink = WavSink("/dev/full")
    with pytest.raises(SinkError, match="/dev/full' cannot be written .No space left"):
        await play(speech(2), sink)
    with pytest.raises(SinkError, match="No space left"):
        await sink.aclose()
    await sink.aclose()


async def test_all_are_sinks(tmp_path: Path) -> None:
    """Each can stand wherever the contract is asked for."""
    sinks: list[Sink] = [MemorySink(), WavSink(tmp_path / "a.wav"), TeeSink(MemorySink())]
    for sink in sinks:
        assert sink.sample_rate == 24_000 and sink.position_s == 0.0
        sink.pause()
        sink.resume()
        await sink.aclose()
