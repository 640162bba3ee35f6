"""An uploaded voice as two files: what is known of it, in JSON, and its codes."""

from __future__ import annotations

import json
import math
import re
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

import numpy as np
import numpy.typing as npt

from moss_stream import Voice

__all__ = ["NAME", "StoredVoice", "about", "codes_file", "to_int16", "voice_from"]

NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}")
"""Of a voice: nothing that could lead out of a folder."""


@dataclass(frozen=True, slots=True)
class StoredVoice:
    """What is known of an uploaded voice."""

    name: str
    consent: str
    """What the speaker agreed to, in their words."""
    seconds: float


def codes_file(name: str, key: str) -> str:
    """Return the name of the codes' file.

    It says what is in it: another server that stores a voice of this name does not change ours.
    """
    return f"{name}.{key[:16]}.npy"


def to_int16(voice: Voice) -> npt.NDArray[np.int16]:
    """Return the codes [T, Nq] as they are stored."""
    return voice.codes.astype(np.int16)


def about(stored: StoredVoice, voice: Voice) -> bytes:
    """Return the JSON file, which is written last: what has it is whole."""
    fields = {
        "consent": stored.consent,
        "seconds": stored.seconds,
        "key": voice.key,
        "codes": codes_file(stored.name, voice.key),
        "sample_rate": voice.sample_rate,
    }
    return json.dumps(fields).encode()


def codes_of(name: str, text: bytes) -> tuple[dict[str, Any], str]:
    """Return what a JSON file says, and the name of the file of codes beside it."""
    fields = json.loads(text)
    # In the same folder, whatever it says.
    return fields, PurePosixPath(fields.get("codes", f"{name}.npy")).name


def voice_from(name: str, fields: dict[str, Any], codes: npt.NDArray[Any]) -> tuple[StoredVoice, Voice]:
    """Return the voice that was read.

    Raises:
        ValueError: Or another error, for whatever somebody wrote there.
    """
    if codes.ndim != 2 or not len(codes) or codes.dtype.kind not in "iu":
        raise ValueError("it holds no codes")
    consent, key, seconds = str(fields["consent"]), str(fields["key"]), float(fields["seconds"])
    (consent + key).encode()  # what is no text cannot be sent
    if not 0 <= seconds < math.inf:
        raise ValueError("its length is not a number of seconds")
    rate = fields.get("sample_rate")
    if not isinstance(rate, int | None):
        raise ValueError("its sample rate is not a number")
    voice = Voice(codes.astype(np.int64), key, consent, sample_rate=rate)
    return StoredVoice(name, consent, seconds), voice
