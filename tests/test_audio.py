from __future__ import annotations

import base64
import io
import re
from pathlib import Path

import numpy as np
import pytest
import soundfile

from moss_stream import Audio, AudioChunk, SinkError
from moss_stream.audio import MAX_PLAYER_BYTES, SAMPLE_RATE_HZ, Samples, is_audible, mixed, resample


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


def stereo(seconds: float, rate: int = 48_000) -> np.ndarray[tuple[int, int], np.dtype[np.int16]]:
    """A tone on the left, silence on the right."""
    left = (tone(seconds, rate) * 32767).astype("<i2")
    return np.stack([left, np.zeros_like(left)], axis=1)


def test_a_stereo_chunk_gives_left_and_right() -> None:
    """The bytes take turns, the array has a column for each, and shares their memory."""
    chunk = AudioChunk(b"\x01\x00\x02\x00\x03\x00\x04\x00", 48_000, 0, 0.0, 2 / 48_000, channels=2)
    assert chunk.samples.tolist() == [[1, 2], [3, 4]] and np.shares_memory(
        chunk.samples, np.frombuffer(chunk.pcm, np.uint8)
    )
    assert AudioChunk(b"", 48_000, 0, 0.0, 0.0, channels=2).samples.shape == (0, 2)


def test_a_stereo_recording_is_saved_as_it_is(tmp_path: Path) -> None:
    """Length, bytes and both channels are right, in WAV and FLAC."""
    audio = Audio(stereo(0.5), 48_000)
    assert (audio.channels, audio.duration_s, len(audio.pcm)) == (2, 0.5, 4 * 24_000)
    for suffix in ("wav", "flac"):
        audio.save(tmp_path / f"a.{suffix}")
        data, rate = soundfile.read(tmp_path / f"a.{suffix}", dtype="int16")
        assert rate == 48_000
        np.testing.assert_array_equal(data, audio.samples)


@pytest.mark.parametrize(
    ("channels", "wanted", "message"),
    [
        (2, (48_000, 1), "takes mono, and this chunk is stereo. Use play"),
        (1, (48_000, 2), "takes stereo, and this chunk is mono. Use play"),
        (2, (24_000, 2), "takes 24000 Hz, and this chunk has 48000 Hz. Use play"),
    ],
)
def test_a_chunk_that_does_not_fit_is_refused(channels: int, wanted: tuple[int, int], message: str) -> None:
    """Each mistake has a sentence of its own; who wants nothing takes all, and no sound fits all."""
    chunk = AudioChunk(bytes(8), 48_000, 0, 0.0, 0.0, channels=channels)
    with pytest.raises(SinkError, match=message):
        chunk.check_rate(*wanted)
    chunk.check_rate(None, None)
    AudioChunk(b"", 48_000, 0, 0.0, 0.0, channels=channels).check_rate(*wanted)


def test_mixing() -> None:
    """Mono is the mean of both, and goes to both; nothing overflows."""
    loud = np.full((3, 2), 32_767, dtype=np.int16)
    assert mixed(loud, 1).tolist() == [32_767] * 3 and mixed(loud, 2) is loud
    assert mixed(np.array([[1, 0], [-400, 200]], np.int16), 1).tolist() == [0, -100]
    assert mixed(np.array([5, 6], np.int16), 2).tolist() == [[5, 5], [6, 6]]


@pytest.mark.parametrize("channels", [1, 2])
def test_a_notebook_shows_a_player_with_the_recording_in_it(channels: int) -> None:
    """A WAV file, whole."""
    samples = mixed(np.arange(24_000, dtype=np.int16), channels)
    html = Audio(samples)._repr_html_()
    found = re.fullmatch(r'<audio controls src="data:audio/wav;base64,([^"]+)"></audio>', html)
    assert found is not None
    read, rate = soundfile.read(io.BytesIO(base64.b64decode(found[1])), dtype="int16")
    assert rate == SAMPLE_RATE_HZ and np.array_equal(read, samples)


def test_a_page_holds_no_hour_of_audio() -> None:
    """It says how long it is, and what to do."""
    html = Audio(np.zeros(MAX_PLAYER_BYTES // 2 + 1, np.int16))._repr_html_()
    assert "<audio" not in html and "175 s of audio" in html and "save(path)" in html
