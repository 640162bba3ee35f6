"""Voices: a recording of a person, as the codes the model hears."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from moss_stream.audio import FRAME_S, SAMPLE_RATE_HZ, Audio, mixed, resample
from moss_stream.errors import AudioError, CorruptCheckpoint
from moss_stream.hub import read_json
from moss_stream.sound_file import check_format, read_recording
from moss_stream.text.message import Codes

__all__ = ["Reference", "Voice", "load_speech", "read_voices"]

MIN_S = 0.5
"""A syllable or two: less does not tell one voice from another."""
MAX_S = 60.0
"""750 of the 4,096 rows that prompt and speech share."""
VOICES_FILE = "voices.json"
MAX_GAIN = 4.0
"""12 dB: who needs more has no voice to speak with, but noise."""
_TARGET_DBFS = -20.0
"""Of the reference implementation, like the most that it is moved by."""
_MAX_GAIN_DB = 3.0
"""Of the reference implementation: more would raise the room with the voice."""
_SILENCE_DBFS = -60.0
"""A thousandth of full scale: nothing that was meant to be heard."""

Reference = str | Path | bytes | Audio
"""A recording: a path, the bytes of a sound file, or samples."""


@dataclass(frozen=True, slots=True, eq=False)
class Voice:
    """A voice to speak with, encoded once.

    Made by `StreamingSynthesizer.encode_voice`, or one of `StreamingSynthesizer.voices`.
    """

    codes: Codes
    """[T, Nq]."""
    key: str
    """The hash of the samples: equal recordings have equal keys. Of a model's own voice, its name."""
    description: str = ""
    """For people; empty unless the voice came with a model."""
    gain: float = 1.0
    """What its samples are multiplied with: the voices of a model are equally loud, and do not clip."""
    sample_rate: int | None = None
    """Of the codec that made the codes, in Hz; None if nobody said. To another one they mean other sounds."""
    audition: Audio | None = None
    """Of a voice that was made up: what it said to be known by."""

    @property
    def duration_s(self) -> float:
        """Length of the recording in seconds, in whole frames."""
        return len(self.codes) * FRAME_S


def read_voices(model: Path, num_codebooks: int, codebook_size: int) -> dict[str, Voice]:
    """Return the voices that come with a model, by name: those in its voices.json, if it has one.

    Raises:
        CorruptCheckpoint: The file is damaged, or its voices are not for this model.
    """
    if not (model / VOICES_FILE).is_file():
        return {}
    voices = {}
    for name, entry in read_json(model, VOICES_FILE).items():
        try:
            codes = np.asarray(entry["codes"], dtype=np.int64)
            gain = float(entry.get("gain", 1.0))
            voices[name] = Voice(codes, name, str(entry["description"]), gain)
            is_sound = (
                0 < gain <= MAX_GAIN
                and codes.ndim == 2
                and codes.shape[1] == num_codebooks
                and len(codes) > 0
            )
            is_sound = is_sound and 0 <= codes.min() and codes.max() < codebook_size
        except (AttributeError, KeyError, TypeError, ValueError, OverflowError):
            is_sound = False
        if not is_sound:
            raise CorruptCheckpoint(
                f"The voice {name!r} in {model / VOICES_FILE} is damaged: it needs a description and codes "
                f"below {codebook_size} of {num_codebooks} codebooks a frame (if there is a gain, at most "
                f"{MAX_GAIN:g}). Download the checkpoint again."
            )
    return voices


def load_reference(
    reference: Reference, rate: int = SAMPLE_RATE_HZ, channels: int = 1
) -> npt.NDArray[np.float32]:
    """Return the samples of a recording as the codec wants them, near -20 dBFS.

    The loudness is moved towards -20 dBFS by at most 3 dB, as the reference implementation does.

    Args:
        reference: A recording of any rate and channels.
        rate: Of the codec, in Hz.
        channels: Of the codec: for stereo a mono recording goes to both, and a stereo one stays as it is.

    Returns:
        [N] if the codec has one channel, [N, channels] otherwise.

    Raises:
        AudioError: The recording is missing, no audio, too short, too long, silent or damaged.
    """
    samples = _samples(reference, rate, channels)
    _check(samples, len(samples) / rate)
    gain_db = np.clip(_TARGET_DBFS - _dbfs(samples), -_MAX_GAIN_DB, _MAX_GAIN_DB)
    return np.asarray(samples * 10.0 ** (gain_db / 20.0), dtype=np.float32)


def load_speech(
    reference: Reference, rate: int = SAMPLE_RATE_HZ, channels: int = 1
) -> npt.NDArray[np.float32]:
    """Return the samples of what somebody said, however short or soft it was; see `load_reference`.

    Raises:
        AudioError: The recording is missing, no audio, too long, damaged, or shorter than a frame.
    """
    samples, frame_samples = _samples(reference, rate, channels), round(FRAME_S * rate)
    if len(samples) < frame_samples or not np.isfinite(samples).all():
        raise AudioError(
            f"The recording of what was said has {len(samples)} samples at {rate} Hz that can be "
            f"used; give at least {frame_samples}, all of them numbers, or the text alone."
        )
    return samples


def _samples(reference: Reference, rate: int, channels: int) -> npt.NDArray[np.float32]:
    if not isinstance(reference, Audio):
        return read_recording(reference, rate, channels, MAX_S)
    check_format(reference.sample_rate, reference.channels, len(reference.samples), MAX_S)
    samples = mixed(reference.samples.astype(np.float32) / 32768.0, channels)
    return resample(samples, reference.sample_rate, rate)


def content_key(samples: npt.NDArray[np.float32]) -> str:
    """Return the hash of samples."""
    return hashlib.sha256(samples.tobytes()).hexdigest()


def _dbfs(samples: npt.NDArray[np.float32]) -> float:
    return float(10.0 * np.log10(np.mean(np.square(samples, dtype=np.float64)) + 1e-9))


def _check(samples: npt.NDArray[np.float32], seconds: float) -> None:
    if seconds < MIN_S:
        raise AudioError(
            f"The reference is {seconds:.2f} s long, too short to know a voice from. "
            f"Give {MIN_S} to {MAX_S:.0f} s; 5 to 20 s of clean speech are best."
        )
    if not np.isfinite(samples).all():
        raise AudioError(
            "The reference holds samples that are not numbers (NaN or infinity). Export it again."
        )
    if _dbfs(samples) < _SILENCE_DBFS:
        raise AudioError("The reference is silent. Give a recording of a person speaking.")
