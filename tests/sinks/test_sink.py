from __future__ import annotations

import wave
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from fakes import FRAME_SAMPLES

from moss_stream import AudioChunk, MemorySink, Sink, TeeSink, WavSink, play
from moss_stream.audio import FRAME_S
from moss_stream.sinks.sink import channels_of


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


async def test_all_are_sinks(tmp_path: Path) -> None:
    """Each can stand wherever the contract is asked for."""
    sinks: list[Sink] = [MemorySink(), WavSink(tmp_path / "a.wav"), TeeSink(MemorySink())]
    for sink in sinks:
        assert sink.sample_rate is None and channels_of(sink) is None and sink.position_s == 0.0
        sink.pause()
        sink.resume()
        await sink.aclose()
