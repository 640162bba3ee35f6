"""Voices: a recording of a person, as the codes the model hears."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from moss_stream.audio import FRAME_S, FRAME_SAMPLES, SAMPLE_RATE_HZ, Audio, resample
from moss_stream.errors import AudioError, CorruptCheckpoint
from moss_stream.hub import read_json
from moss_stream.sound_file import check_format, read_mono
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


def load_reference(reference: Reference) -> npt.NDArray[np.float32]:
    """Return the samples of a recording as the codec wants them: mono, 24 kHz, near -20 dBFS.

    The loudness is moved towards -20 dBFS by at most 3 dB, as the reference implementation does.

    Raises:
        AudioError: The recording is missing, no audio, too short, too long, silent or damaged.
    """
    samples = _samples(reference)
    _check(samples)
    gain_db = np.clip(_TARGET_DBFS - _dbfs(samples), -_MAX_GAIN_DB, _MAX_GAIN_DB)
    return np.asarray(samples * 10.0 ** (gain_db / 20.0), dtype=np.float32)


def load_speech(reference: Reference) -> npt.NDArray[np.float32]:
    """Return the samples of what somebody said, mono at 24 kHz, however short or soft it was.

    Raises:
        AudioError: The recording is missing, no audio, too long, damaged, or shorter than a frame.
    """
    samples = _samples(reference)
    if len(samples) < FRAME_SAMPLES or not np.isfinite(samples).all():
        raise AudioError(
            f"The recording of what was said has {len(samples)} samples at {SAMPLE_RATE_HZ} Hz that can be "
            f"used; give at least {FRAME_SAMPLES}, all of them numbers, or the text alone."
        )
    return samples


def _samples(reference: Reference) -> npt.NDArray[np.float32]:
    if not isinstance(reference, Audio):
        return read_mono(reference, SAMPLE_RATE_HZ, MAX_S)
    check_format(reference.sample_rate, 1, len(reference.samples), MAX_S)
    samples = reference.samples.astype(np.float32) / 32768.0
    return resample(samples, reference.sample_rate, SAMPLE_RATE_HZ)


def content_key(samples: npt.NDArray[np.float32]) -> str:
    """Return the hash of samples."""
    return hashlib.sha256(samples.tobytes()).hexdigest()


def _dbfs(samples: npt.NDArray[np.float32]) -> float:
    return float(10.0 * np.log10(np.mean(np.square(samples, dtype=np.float64)) + 1e-9))


def _check(samples: npt.NDArray[np.float32]) -> None:
    seconds = len(samples) / SAMPLE_RATE_HZ
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
