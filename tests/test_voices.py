from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
import soundfile

from moss_stream import Audio, AudioError, CorruptCheckpoint, Voice
from moss_stream.audio import Samples
from moss_stream.voices import Reference, content_key, load_reference, load_speech, read_voices


def noise(seconds: float, dbfs: float = -20.0, rate: int = 24_000) -> Samples:
    """White noise of that loudness."""
    samples = np.random.default_rng(0).standard_normal(int(seconds * rate))
    return np.asarray(samples * 10 ** (dbfs / 20) / np.sqrt(np.mean(samples**2)), dtype=np.float32)


def wav(samples: Samples, rate: int = 24_000) -> bytes:
    """A float WAV file."""
    file = io.BytesIO()
    soundfile.write(file, samples, rate, format="WAV", subtype="FLOAT")
    return file.getvalue()


def dbfs(samples: Samples) -> float:
    """Loudness."""
    return float(10 * np.log10(np.mean(samples.astype(np.float64) ** 2)))


def with_nan() -> Samples:
    """Noise with one sample that is no number."""
    samples = noise(2.0)
    samples[1000] = np.nan
    return samples


def with_infinity() -> Samples:
    """Noise with one infinite sample."""
    samples = noise(2.0)
    samples[1000] = np.inf
    return samples


@pytest.mark.parametrize(
    ("reference", "message"),
    [
        ("/no/such/file.wav", "There is no file '/no/such/file.wav'"),
        (b"", "the given bytes is not audio"),
        (b"Dear voice, " * 99, "the given bytes is not audio"),
        (wav(noise(0.05)), r"is 0\.05 s long, too short .* 0\.5 to 60 s"),
        (wav(np.zeros(0, dtype=np.float32)), r"is 0\.00 s long, too short"),
        (wav(noise(180.0)), "is 180 s long. Cut it to at most 60 s"),
        (wav(with_nan()), "not numbers"),
        (wav(with_infinity()), "not numbers"),
        (wav(np.zeros(48_000, dtype=np.float32)), "is silent"),
        (wav(noise(2.0, dbfs=-65.0)), "is silent"),
        (Audio(np.zeros(48_000, dtype=np.int16)), "is silent"),
        (Audio(np.zeros(0, dtype=np.int16), 16_000), "too short"),
    ],
    ids=[
        "missing",
        "empty",
        "not-audio",
        "50-ms",
        "no-samples",
        "3-minutes",
        "nan",
        "infinity",
        "silent",
        "hum",
        "silent-samples",
        "no-samples-given",
    ],
)
def test_an_unusable_reference_says_why(reference: Reference, message: str) -> None:
    """Each recording that cannot be used is refused with a sentence that says what is wrong with it."""
    with pytest.raises(AudioError, match=message):
        load_reference(reference)


def test_an_empty_file_is_named(tmp_path: Path) -> None:
    """A file without a byte is refused with its path."""
    (tmp_path / "voice.wav").touch()
    with pytest.raises(AudioError, match=r"voice\.wav' is not audio"):
        load_reference(tmp_path / "voice.wav")


def test_stereo_at_44_khz_is_accepted(tmp_path: Path) -> None:
    """A stereo recording of a usual rate becomes mono at 24 kHz of the same length."""
    channel = noise(2.0, rate=44_100)
    soundfile.write(tmp_path / "voice.flac", np.stack([channel, channel], axis=1), 44_100)
    samples = load_reference(str(tmp_path / "voice.flac"))
    assert samples.dtype == np.float32 and samples.shape == (48_000,)


@pytest.mark.parametrize(("before", "after"), [(-40, -37), (-22, -20), (-20, -20), (-18.5, -20), (-10, -13)])
def test_loudness_is_moved_by_at_most_3_db(before: float, after: float) -> None:
    """A recording is brought towards -20 dBFS, and never changed by more than 3 dB."""
    assert dbfs(load_reference(wav(noise(1.0, dbfs=before)))) == pytest.approx(after, abs=0.01)


@pytest.mark.parametrize("seconds", [0.5, 60.0])
def test_the_limits_themselves_are_accepted(seconds: float) -> None:
    """Half a second and a whole minute are just usable."""
    assert len(load_reference(wav(noise(seconds)))) == int(seconds * 24_000)


def test_samples_are_used_as_a_file_is() -> None:
    """Samples that were already read sound as loud as the file they come from, at any rate."""
    pcm = (noise(1.0, rate=16_000) * 32768).astype(np.int16)
    file = io.BytesIO()
    soundfile.write(file, pcm, 16_000, format="WAV")
    np.testing.assert_allclose(load_reference(Audio(pcm, 16_000)), load_reference(file.getvalue()), atol=1e-6)


def test_the_key_depends_on_the_content_only(tmp_path: Path) -> None:
    """The same recording has one key whatever its name and container, and another recording another."""
    pcm = (noise(1.0) * 32768).astype(np.int16)
    for name in ("a.wav", "b.wav", "c.flac"):
        soundfile.write(tmp_path / name, pcm, 24_000)
    references: list[Reference] = [
        tmp_path / "a.wav",
        (tmp_path / "b.wav").read_bytes(),
        tmp_path / "c.flac",
        Audio(pcm),
    ]
    keys = {content_key(load_reference(reference)) for reference in references}
    assert len(keys) == 1
    pcm[500] += 1
    assert content_key(load_reference(Audio(pcm))) not in keys


def test_a_voice_knows_its_length() -> None:
    """A voice of 25 frames is two seconds long."""
    assert Voice(np.zeros((25, 8), dtype=np.int64), "key").duration_s == pytest.approx(2.0)


def test_the_voices_of_a_model_are_read(tmp_path: Path) -> None:
    """voices.json names voices with their codes; a model without the file has none."""
    assert read_voices(tmp_path, 2, 9) == {}
    (tmp_path / "voices.json").write_text('{"ann": {"description": "a woman", "codes": [[1, 2], [3, 4]]}}')
    voice = read_voices(tmp_path, 2, 9)["ann"]
    assert (voice.key, voice.description, voice.codes.tolist()) == ("ann", "a woman", [[1, 2], [3, 4]])


@pytest.mark.parametrize(
    "entry",
    ["[]", "{}", '{"description": "x", "codes": []}', '{"description": "x", "codes": [[1], [2, 3]]}', "3"]
    + [f'{{"description": "x", "codes": [[1, {code}]]}}' for code in (-1, 9, 2**70)]
    + [f'{{"description": "x", "codes": [[1, 2]], "gain": {gain}}}' for gain in (0, -1, 5, "NaN", '"loud"')],
)
def test_a_damaged_voice_is_named(tmp_path: Path, entry: str) -> None:
    """What is no voice for this model is an error with its name, not a failure later."""
    (tmp_path / "voices.json").write_text(f'{{"ann": {entry}}}')
    with pytest.raises(CorruptCheckpoint, match="'ann'"):
        read_voices(tmp_path, 2, 9)


def test_a_recording_for_a_stereo_codec(tmp_path: Path) -> None:
    """Left and right are kept and resampled; of more channels the mean goes to both."""
    left = noise(1.0, rate=44_100)
    for channels, wanted in ((2, [1.0, 0.0]), (4, [0.25, 0.25])):
        recording = np.zeros((len(left), channels), np.float32)
        recording[:, 0] = left
        soundfile.write(tmp_path / "a.wav", recording, 44_100, subtype="FLOAT")
        samples = load_speech(tmp_path / "a.wav", 48_000, 2)
        assert samples.shape == (48_000, 2) and samples.dtype == np.float32
        loud = np.sqrt((samples**2).mean(axis=0))
        np.testing.assert_allclose(loud, np.array(wanted) * 0.1, atol=3e-3)
