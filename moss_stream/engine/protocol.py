"""What the worker asks of an engine. Tests drive the worker with a fake one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
import numpy.typing as npt

from moss_stream.config import SamplingOptions, SynthesisOptions
from moss_stream.text.prompt import Codes, Message
from moss_stream.voices import Voice

__all__ = ["Engine", "EngineInfo", "Frame"]


@dataclass(frozen=True, slots=True)
class Frame:
    """One step's result."""

    is_end: bool
    """The segment is over; this frame is not audio."""
    codes: npt.NDArray[np.int64]
    """[Nq]; codebooks that were not generated are 0."""
    pcm: bytes
    """1,920 samples of int16 at 24 kHz."""


@dataclass(frozen=True, slots=True)
class EngineInfo:
    """What an engine says of itself."""

    num_codebooks: int
    """Codebooks the model has."""
    description: str
    """Model, device and number format, for people."""
    voices: Mapping[str, Voice] = field(default_factory=dict)
    """The voices that come with the model, by name."""
    sampling: SamplingOptions = field(default_factory=SamplingOptions)
    """How rows are sampled when a stream does not say."""


class Engine(Protocol):
    """A model and its codec on a device; used by one thread, one stream at a time."""

    @property
    def info(self) -> EngineInfo:
        """What runs here."""

    def open(self, options: SynthesisOptions) -> None:
        """Start a stream: forget the last one, codec state included."""

    def begin(self, message: Message, prefix: Codes | None) -> int:
        """Prefill a segment and return how many frames the context still holds.

        Raises:
            TextError: The text is empty or does not fit into the context.
        """

    def step(self) -> Frame:
        """Make the next frame of the segment."""

    def encode(self, samples: npt.NDArray[np.float32]) -> Codes:
        """Turn mono samples at 24 kHz into codes [T, Nq]."""
