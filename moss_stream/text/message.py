"""What a model is asked to say, and the rows that it reads: one text id and Nq codes each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

__all__ = ["Codes", "Message", "Prompt", "Rows"]

Codes = npt.NDArray[np.int64]
"""Codes of audio frames, [T, Nq]."""
Rows = npt.NDArray[np.int64]
"""Rows of the model, [T, 1 + Nq]."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """What the user message of a prompt says; None is written as "None", as the model was trained."""

    text: str
    reference: Sequence[Codes | None] | None = None
    """Codes of the voice of each speaker, [T, Nq] each; None leaves a speaker's voice open."""
    instruction: str | None = None
    tokens: int | None = None
    """The wanted length in frames of 80 ms."""
    quality: str | None = None
    sound_event: str | None = None
    ambient_sound: str | None = None
    language: str | None = None


@dataclass(frozen=True, slots=True)
class Prompt:
    """What the model reads before it speaks a segment, ready to be run."""

    message: Message
    prefix: Codes | None
    """Codes of the audio that the segment continues, [T, Nq]."""
    rows: Rows
    num_fixed: int = 0
    """Rows at the start that are the same for any text: those of voice and manner."""
