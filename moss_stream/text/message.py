"""What a model is asked to say, and the rows that it reads: one text id and Nq codes each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

__all__ = ["Codes", "Heard", "Message", "Prompt", "Rows", "Said"]

Codes = npt.NDArray[np.int64]
"""Codes of audio frames, [T, Nq]."""
Rows = npt.NDArray[np.int64]
"""Rows of the model, [T, 1 + Nq]."""


@dataclass(frozen=True, slots=True)
class Heard:
    """A turn of the other side."""

    text: str
    codes: Codes | None = None
    """Of its audio, [T, Nq]; None if there is only a transcript."""


@dataclass(frozen=True, slots=True)
class Said:
    """What a model that reads its text while it speaks has said in one go."""

    pieces: tuple[str, ...]
    """The text, in the pieces in which it was given."""
    codes: Codes
    """Of its audio, [T, Nq], as far as it was heard."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """What a prompt says; the fields that a model does not know are left out.

    MossTTSLocal writes None as "None", as it was trained. A model that reads its text while it speaks has no
    text here, but the dialogue until now.
    """

    text: str = ""
    reference: Sequence[Codes | None] | None = None
    """Codes of the voice of each speaker, [T, Nq] each; None leaves a speaker's voice open."""
    instruction: str | None = None
    tokens: int | None = None
    """The wanted length in frames of 80 ms."""
    quality: str | None = None
    sound_event: str | None = None
    ambient_sound: str | None = None
    language: str | None = None
    dialogue: Sequence[Heard | Said] = ()


@dataclass(frozen=True, slots=True)
class Prompt:
    """What the model reads before it speaks a segment, ready to be run."""

    message: Message
    prefix: Codes | None
    """Codes of the audio that the segment continues, [T, Nq]."""
    rows: Rows
    num_fixed: int = 0
    """Rows at the start that are the same for any text: those of voice and manner."""
    num_forgotten: int = 0
    """Turns of the dialogue, from the oldest on, that the context has no room for any more."""
