from __future__ import annotations

import io
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile
from limits import HANG_S

from moss_stream import Audio, AudioError
from moss_stream.audio import SAMPLE_RATE_HZ, Samples
from moss_stream.sound_file import read_recording
from moss_stream.voices import MAX_S, load_reference


def tone(seconds: float, rate: int, hertz: float = 440.0) -> Samples:
    """A sine at half of full scale."""
    return (0.5 * np.sin(2 * np.pi * hertz * np.arange(int(seconds * rate)) / rate)).astype(np.float32)


def read(source: str | Path | bytes, channels: int = 1) -> Samples:
    return read_recording(source, SAMPLE_RATE_HZ, channels, MAX_S)


def test_stereo_becomes_mono_at_24_khz(tmp_path: Path) -> None:
    """A stereo file of another rate is mixed and resampled, and keeps its length."""
    left = tone(1.0, 44_100)
    soundfile.write(tmp_path / "a.wav", np.stack([left, np.zeros_like(left)], axis=1), 44_100)
    samples = read(tmp_path / "a.wav")
    assert samples.dtype == np.float32 and samples.shape == (SAMPLE_RATE_HZ,)
    np.testing.assert_allclose(samples[2000:-2000], tone(1.0, SAMPLE_RATE_HZ)[2000:-2000] / 2, atol=2e-3)


def test_bytes_are_read_as_a_file_is() -> None:
    """The bytes of a sound file give its samples."""
    file = io.BytesIO()
    soundfile.write(file, tone(0.1, SAMPLE_RATE_HZ), SAMPLE_RATE_HZ, format="WAV", subtype="FLOAT")
    np.testing.assert_array_equal(read(file.getvalue()), tone(0.1, SAMPLE_RATE_HZ))


@pytest.mark.parametrize("data", [b"", b"no sound at all" * 100], ids=["empty", "text"])
def test_bytes_that_are_no_audio(data: bytes) -> None:
    """Bytes of something else give a sentence that names formats, not a memory address."""
    with pytest.raises(AudioError, match="the given bytes is not audio .*Use wav, flac") as caught:
        read(data)
    assert "0x" not in str(caught.value)


@pytest.mark.parametrize("name", ["a.wav", "a.raw", "a"])
def test_a_file_that_is_no_audio(tmp_path: Path, name: str) -> None:
    """A file of something else gives a sentence with its path, whatever its suffix."""
    (tmp_path / name).write_bytes(b"just a text\n" * 50)
    with pytest.raises(AudioError, match="is not audio that can be read") as caught:
        read(tmp_path / name)
    assert str(tmp_path / name) in str(caught.value)


def test_a_missing_file(tmp_path: Path) -> None:
    """A path to nothing, or to a folder, is named."""
    for path in (tmp_path / "none.wav", tmp_path):
        with pytest.raises(AudioError, match="There is no file"):
            read(path)


def encoded(samples: Samples, rate: int, **options: str) -> bytes:
    file = io.BytesIO()
    soundfile.write(file, samples, rate, **options)
    return file.getvalue()


@pytest.mark.parametrize("rate", [8_000, 22_050, 44_100, 96_000])
def test_resampled_in_blocks_it_is_what_it_is_at_once(rate: int) -> None:
    """Blocks leave no seam, and no sample is lost."""
    soxr = pytest.importorskip("soxr")
    samples = tone(7.3, rate, hertz=333.0)
    data = encoded(samples, rate, format="WAV", subtype="FLOAT")
    wanted = soxr.resample(samples, rate, SAMPLE_RATE_HZ, quality="HQ")
    np.testing.assert_allclose(read(data), wanted, atol=1e-6)


def wav(rate: int, channels: int = 1, size: int = 96_000) -> bytes:
    """A WAV file whose header says what it says."""
    block = 2 * channels
    header = b"RIFF" + (36 + size).to_bytes(4, "little") + b"WAVEfmt " + (16).to_bytes(4, "little")
    header += (1).to_bytes(2, "little") + channels.to_bytes(2, "little") + rate.to_bytes(4, "little")
    header += (rate * block % 2**32).to_bytes(4, "little") + block.to_bytes(2, "little")
    return header + (16).to_bytes(2, "little") + b"data" + size.to_bytes(4, "little") + bytes(size)


def flac(seconds: float, rate: int = 8_000, channels: int = 1, claims: int | None = None) -> bytes:
    """A FLAC file; its header may claim another number of samples."""
    shape = (int(seconds * rate), channels)
    data = bytearray(encoded(np.zeros(shape, np.float32), rate, format="FLAC"))
    if claims is not None:  # the last 36 bits before the checksum of the first metadata block
        end = 8 + 18
        number = int.from_bytes(data[end - 8 : end], "big") >> 36 << 36 | claims
        data[end - 8 : end] = number.to_bytes(8, "big")
    return bytes(data)


HOSTILE = {
    "a rate of 1 Hz": (wav(1), "sample rate of 1 Hz"),
    "no rate": (wav(0), "sample rate|not audio"),
    "a rate of 4 GHz": (wav(2**32 - 1), "sample rate|not audio"),
    "no channels": (wav(8_000, 0), "channels|not audio"),
    "1,000 channels": (wav(8_000, 1_000), "1000 channels|not audio"),
    "20 minutes of 4 channels": (flac(1_200, 8_000, 4), "1,200 s long"),
    "a claim of 2^36 samples": (flac(5, claims=2**36 - 1), "s long"),
    "61 seconds that claim to be none": (flac(61, claims=0), "s long|not audio"),
    "samples that are not numbers": (
        encoded(np.full(24_000, np.nan, np.float32), 24_000, format="WAV", subtype="FLOAT"),
        "not numbers",
    ),
    "half a file": (encoded(tone(5, 24_000), 24_000, format="OGG")[:300], "not audio|too short"),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_files_get_a_sentence(name: str) -> None:
    """Looked at before they are decoded, they are refused with what is wrong and what is taken."""
    data, message = HOSTILE[name]
    with pytest.raises(AudioError, match=message):
        load_reference(data)


def test_samples_of_a_caller_are_judged_before_they_are_resampled() -> None:
    """An array that claims a rate of 1 Hz would become a day of audio."""
    for rate in (1, 2**31):
        with pytest.raises(AudioError, match="sample rate"):
            load_reference(Audio(np.ones(96_000, np.int16), rate))
    with pytest.raises(AudioError, match="s long"):
        load_reference(Audio(np.ones(8_000 * 61, np.int16), 8_000))


REFUSE = """
import resource, sys
sys.path[:0] = ["tests/support", "."]
from moss_stream.voices import load_reference
from tests.test_sound_file import HOSTILE, encoded, tone
load_reference(encoded(tone(5, 44_100), 44_100, format="FLAC"))  # what reading needs at all
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
for data, _ in HOSTILE.values():
    try:
        load_reference(data)
    except Exception:
        pass
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="the peak is counted in kB on Linux alone")
def test_refusing_a_file_takes_no_memory() -> None:
    """None of them costs 50 MB; before they were judged first, one took 5 GB."""
    run = subprocess.run(
        [sys.executable, "-c", REFUSE],
        cwd=Path(__file__).parent.parent,
        capture_output=True,
        text=True,
        timeout=HANG_S,
    )
    assert run.returncode == 0, run.stderr
    assert int(run.stdout) < 50_000
