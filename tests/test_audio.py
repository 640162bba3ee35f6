from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile

from moss_stream import Audio, AudioChunk, SinkError
from moss_stream.audio import SAMPLE_RATE_HZ, Samples, is_audible, resample


def tone(seconds: float, rate: int, hertz: float = 440.0) -> Samples:
    """A sine at half of full scale."""
    return (0.5 * np.sin(2 * np.pi * hertz * np.arange(int(seconds * rate)) / rate)).astype(np.float32)


def test_a_chunk_gives_its_samples() -> None:
    """The bytes of a chunk are little-endian int16, and the array shares their memory."""
    pcm = b"\x01\x00\xff\xff\x00\x80"
    samples = AudioChunk(pcm, 24_000, 0, 0.0, 3 / 24_000).samples
    assert samples.tolist() == [1, -1, -32768]
    assert np.shares_memory(samples, np.frombuffer(pcm, dtype=np.uint8))


def test_audio_knows_its_length_and_bytes() -> None:
    """A recording gives its length in seconds and its samples as little-endian bytes."""
    audio = Audio(np.array([1, -1] * 600, dtype=np.int16))
    assert audio.duration_s == 0.05
    assert audio.pcm == b"\x01\x00\xff\xff" * 600


@pytest.mark.parametrize("suffix", ["wav", "flac"])
def test_a_saved_recording_is_read_back(tmp_path: Path, suffix: str) -> None:
    """A recording saved without loss has the same samples and rate when read."""
    audio = Audio((tone(0.1, SAMPLE_RATE_HZ) * 32767).astype(np.int16))
    audio.save(tmp_path / f"a.{suffix}")
    data, rate = soundfile.read(tmp_path / f"a.{suffix}", dtype="int16")
    assert rate == SAMPLE_RATE_HZ
    np.testing.assert_array_equal(data, audio.samples)


@pytest.mark.parametrize("suffix", ["ogg", "mp3"])
def test_lossy_formats_can_be_saved(tmp_path: Path, suffix: str) -> None:
    """A recording saved as ogg or mp3 keeps its loudness."""
    audio = Audio((tone(0.5, SAMPLE_RATE_HZ) * 32767).astype(np.int16))
    audio.save(str(tmp_path / f"a.{suffix}"))
    assert np.std(soundfile.read(tmp_path / f"a.{suffix}")[0]) == pytest.approx(0.354, abs=0.03)


@pytest.mark.parametrize("name", ["missing/a.wav", "a.txt", "a", "a.raw"])
def test_what_cannot_be_saved_is_a_sink_error(tmp_path: Path, name: str) -> None:
    """A folder that is not there or a suffix of no format gives a sentence with the path and the formats."""
    with pytest.raises(SinkError, match=r"cannot be written .*ending in \.wav") as caught:
        Audio(np.zeros(10, dtype=np.int16)).save(tmp_path / name)
    assert name in str(caught.value)


def test_resampling_nothing_gives_nothing() -> None:
    """A recording without samples stays one, and an equal rate changes nothing."""
    assert len(resample(np.zeros(0, dtype=np.float32), 8_000, 24_000)) == 0
    samples = tone(0.1, 16_000)
    np.testing.assert_array_equal(resample(samples, 16_000, 16_000), samples)


@pytest.mark.parametrize("rate", [8_000, 22_050, 48_000])
def test_resampling_keeps_the_pitch(rate: int) -> None:
    """A tone is the same tone at the new rate."""
    spectrum = np.abs(np.fft.rfft(resample(tone(1.0, rate, hertz=1000.0), rate, 24_000)))
    assert np.argmax(spectrum) == pytest.approx(1000, abs=1)


def test_what_counts_as_silence() -> None:
    """Quiet noise, and nothing at all, are silence; the loudest sample decides, of either sign."""
    for value, wanted in ((0, False), (199, False), (-199, False), (200, True), (-32768, True)):
        samples = np.zeros(100, dtype="<i2")
        samples[50] = value
        assert is_audible(samples.tobytes()) is wanted
    assert not is_audible(b"")
