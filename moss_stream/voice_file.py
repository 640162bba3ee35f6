"""A voice as a file: what was encoded or made up once is there for every model of its codec."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path

import numpy as np

from moss_stream.errors import AudioError
from moss_stream.files import new_file
from moss_stream.voices import MAX_GAIN, Voice

__all__ = ["VOICE_SUFFIX", "load_voice", "save_voice"]

VOICE_SUFFIX = ".npz"
MAX_BYTES = 1_000_000
"""A minute of 32 codebooks takes 48 kB; what is larger is something else."""


def save_voice(voice: Voice, path: str | Path) -> None:
    """Write a voice into a file (.npz), whole or not at all; its folder is made.

    Raises:
        AudioError: It cannot be written there.
    """
    path = _named(path)
    about = {"key": voice.key, "description": voice.description, "gain": voice.gain}
    about["sample_rate"] = voice.sample_rate
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with new_file(path) as file:
            np.savez(file, codes=voice.codes.astype(np.int16), about=np.array(json.dumps(about)))
    except OSError as error:
        raise AudioError(f"The voice cannot be written to {path} ({error.strerror or error}).") from error


def load_voice(path: str | Path) -> Voice:
    """Read a voice that `save_voice` wrote.

    Raises:
        AudioError: There is no such file, or it holds no voice.
    """
    path = _named(path)
    try:
        with path.open("rb") as file:
            if path.stat().st_size > MAX_BYTES:
                raise ValueError(f"it has more than {MAX_BYTES:,} bytes")
            with np.load(file, allow_pickle=False) as held:
                return _voice(held["codes"], json.loads(str(held["about"])))
    except FileNotFoundError as error:
        raise AudioError(f"There is no file {path}. Give one that `save_voice` wrote.") from error
    except (OSError, KeyError, TypeError, ValueError, EOFError, zipfile.BadZipFile) as error:
        raise AudioError(
            f"{path} holds no voice ({error}). Give a file that `save_voice` wrote, or a recording."
        ) from error


def _voice(codes: np.ndarray, about: dict[str, object]) -> Voice:
    if codes.ndim != 2 or not len(codes) or codes.dtype != np.int16 or codes.min() < 0:
        raise ValueError("its codes are damaged")
    rate, gain = about["sample_rate"], about["gain"]
    if not isinstance(rate, int | None) or not isinstance(gain, float) or not 0 < gain <= MAX_GAIN:
        raise ValueError("its rate or loudness is damaged")
    key, description = str(about["key"]), str(about["description"])
    return Voice(codes.astype(np.int64), key, description, gain, rate)


def _named(path: str | Path) -> Path:
    path = Path(path).expanduser()
    if path.suffix != VOICE_SUFFIX:
        raise AudioError(f"{path}: a voice is kept in a file {VOICE_SUFFIX}. Give such a name.")
    return path
