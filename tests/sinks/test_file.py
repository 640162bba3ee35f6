from __future__ import annotations

import asyncio
from pathlib import Path

import av
import numpy as np
import pytest
import soundfile
from fakes import StereoFake, is_silent, is_tone, synthesizer_on

from moss_stream import ConfigError, SinkError, play
from moss_stream.audio import FRAME_S
from moss_stream.formats.output import AudioFormat
from moss_stream.sinks.file import SUFFIXES, FileSink, container_of
from tests.sinks.test_sink import chunk, speech


def decoded(path: Path) -> tuple[int, np.ndarray]:
    """The rate and the samples [channels, N] of a file, by FFmpeg."""
    with av.open(str(path)) as file:
        stream = file.streams.audio[0]
        resampler = av.AudioResampler("s16p", stream.layout, stream.rate)
        frames = [part for frame in file.decode(stream) for part in resampler.resample(frame)]
        return stream.rate, np.concatenate([frame.to_ndarray() for frame in frames], axis=1)


def names(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir()]


@pytest.mark.parametrize("suffix", [".mp3", ".flac", ".ogg", ".opus", ".aac", ".wav"])
async def test_a_stereo_stream_in_every_format(tmp_path: Path, suffix: str) -> None:
    """Left stays left, and all of it is there when the sink is closed."""
    path = tmp_path / f"a{suffix}"
    sink = FileSink(path)
    async with await synthesizer_on(StereoFake(frames_per_segment=25)) as synth:
        report = await play(synth.stream("Hello."), sink)
    await sink.aclose()
    rate, (left, right) = await asyncio.to_thread(decoded, path)
    assert report.played_s == pytest.approx(2.0) and len(left) / rate == pytest.approx(2.0, abs=0.1)
    middle = slice(len(left) // 4, -len(left) // 4)
    assert is_tone(left[middle], rate) and is_silent(right[middle])


async def test_wav_and_flac_say_how_long_they_are(tmp_path: Path) -> None:
    """Once they are closed; until then the length is not known."""
    sink = FileSink(tmp_path / "a.wav", AudioFormat("wav", "pcm_f32le", 16_000))
    await play(speech(5), sink)
    await sink.aclose()
    flac = FileSink(tmp_path / "a.flac")
    await play(speech(5), flac)
    await flac.aclose()
    assert (await asyncio.to_thread(soundfile.info, tmp_path / "a.flac")).frames == 5 * 1920
    info = await asyncio.to_thread(soundfile.info, tmp_path / "a.wav")
    assert info.duration == pytest.approx(0.4, abs=0.001) and info.subtype == "FLOAT"


async def test_raw_samples(tmp_path: Path) -> None:
    """Of .pcm, with what was asked for."""
    sink = FileSink(tmp_path / "a.pcm", AudioFormat("raw", "pcm_f32le", 48_000))
    await play(speech(5), sink)
    await sink.aclose()
    assert (tmp_path / "a.pcm").stat().st_size == 5 * FRAME_S * 48_000 * 4


async def test_an_old_file_is_there_until_there_is_audio(tmp_path: Path) -> None:
    """A stream that says nothing leaves it as it was; one that is interrupted leaves what it said."""
    path = tmp_path / "a.mp3"
    path.write_bytes(b"old")
    sink = FileSink(path)
    await sink.open()
    await sink.aclose()
    assert path.read_bytes() == b"old" and names(tmp_path) == ["a.mp3"]
    sink = FileSink(path)
    for number in range(10):
        await sink.write(chunk(number))
    assert path.read_bytes()[:3] != b"old" and (await sink.clear()).dropped_s == 0
    await sink.aclose()
    await sink.aclose()
    assert names(tmp_path) == ["a.mp3"]
    with pytest.raises(SinkError, match="closed already"):
        await sink.write(chunk(11))


async def test_what_cannot_be_written(tmp_path: Path) -> None:
    """Is a sentence, and the sink can still be closed."""
    sink = FileSink("/dev/full", AudioFormat("wav"))
    with pytest.raises(SinkError, match="No space left"):
        await play(speech(2), sink)
    with pytest.raises(SinkError, match="No space left"):
        await sink.aclose()
    await sink.aclose()


def test_names() -> None:
    """The end of a name says the format; without one it is WAV."""
    assert container_of("speech") == container_of("/dev/stdout") == container_of("A.WAV") == "wav"
    assert {container_of(f"a{suffix}") for suffix in SUFFIXES} == {"wav", "mp3", "flac", "opus", "aac", "raw"}
    with pytest.raises(ConfigError, match="no such format. End the name with .wav"):
        FileSink("speech.doc")
