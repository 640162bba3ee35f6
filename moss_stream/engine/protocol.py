"""What the worker asks of an engine. Tests drive the worker with a fake one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Protocol

import numpy as np
import numpy.typing as npt

from moss_stream.audio import SAMPLE_RATE_HZ
from moss_stream.config import SamplingOptions, SynthesisOptions
from moss_stream.text.message import Codes, Message, Prompt
from moss_stream.uses import Use
from moss_stream.voices import Voice

__all__ = ["Engine", "EngineInfo", "Frame", "FrameKind"]


class FrameKind(IntEnum):
    """What a step made of a stream."""

    END = 0
    """The segment is over; there is not audio."""
    AUDIO = 1
    """80 ms of audio."""
    NOTHING = 2
    """No audio yet: the codes of a frame may come in several rows."""


@dataclass(frozen=True, slots=True)
class Frame:
    """One step's result. Samples count where it is audio."""

    kind: FrameKind
    codes: npt.NDArray[np.int64]
    """[Nq]; codebooks that were not generated are 0."""
    pcm: bytes
    """int16: the samples of 80 ms at the engine's rate; those of several channels take turns."""
    is_whole: bool
    """The codes are those of a frame of audio. It may be one that was heard before: while this model makes
    the codebooks of a frame one row after the other, few of them may be enough to hear it."""
    is_outside: bool = False
    """The next row is one of words: the model has ended an audio, or has not begun it."""


@dataclass(frozen=True, slots=True)
class EngineInfo:
    """What an engine says of itself."""

    num_codebooks: int
    """Codebooks the model has."""
    description: str
    """Model, device and number format, for people."""
    voices: Mapping[str, Voice] = field(default_factory=dict)
    """The voices that come with the model, by name."""
    max_streams: int = 1
    """Slots."""
    frame_costs_s: Mapping[int, float] = field(default_factory=dict)
    """Seconds that a frame of some numbers of streams took when the engine was loaded."""
    sampling: SamplingOptions = field(default_factory=SamplingOptions)
    """How rows are sampled when a stream does not say."""
    history_s: float = 20.0
    """Audio that is carried into the next segment when a stream does not say."""
    is_incremental: bool = False
    """The model reads its text while it speaks, and remembers the dialogue.

    Otherwise it reads a segment, then speaks it.
    """
    is_delayed: bool = False
    """A frame's codebooks come one row after the other: the fewer are heard, the earlier it is."""
    needs_all_codebooks: bool = False
    """It was trained with all codebooks in every row, and does not do without the finer ones."""
    codec_codebooks: int | None = None
    """Codebooks that a voice is encoded with; None: those of the model. Models with the same codec share
    voices."""
    uses: frozenset[Use] = frozenset({Use.SPEECH})
    """What it can be asked for."""
    reads_phonetics: bool = False
    """It was trained with IPA between slashes and pinyin with tone numbers."""
    sample_rate: int = SAMPLE_RATE_HZ
    """Of its audio, in Hz."""
    channels: int = 1
    """Of its audio: 1 is mono, 2 is stereo."""


class Engine(Protocol):
    """A model and its codec on a device, with a slot for each stream.

    One thread uses it, except where a method says otherwise.
    """

    @property
    def info(self) -> EngineInfo:
        """What runs here."""

    @property
    def captured_s(self) -> float:
        """Seconds that recording CUDA graphs took until now, in all: they say nothing of the next frame."""

    def capture(self, n_vq: int | None) -> None:
        """Capture all CUDA graphs for streams with `n_vq` codebooks (None: all), if this engine has any."""

    def open(self, slot: int, options: SynthesisOptions) -> None:
        """Start a stream in a slot: forget what was spoken in it, codec state included."""

    def prompt(self, message: Message, prefix: Codes | None) -> Prompt:
        """Build the prompt of a segment, beside the frames. On any thread, several at a time.

        Raises:
            TextError: The text is empty or does not fit into the context.
        """

    def begin(self, slot: int, prompt: Prompt, gain: float = 1.0) -> int:
        """Take the prompt of a segment; return how many frames the context still holds.

        Args:
            slot: Whose segment.
            prompt: What the model reads.
            gain: What the samples are multiplied with.
        """

    def prefill(self, slot: int) -> bool:
        """Run the next chunk of the slot's prompt; return whether all that is there of it has been run."""

    def give(self, slot: int, text: str, is_last: bool) -> None:
        """Give an incremental model the next piece of its text; what follows the last one is silence.

        The pieces joined are the text. A model tokenizes each alone, so a piece ends where a word does.
        """

    def is_fed(self, slot: int) -> bool:
        """Tell whether the slot needs no more text before its first frame, or its next one."""

    def num_unread(self, slot: int) -> int:
        """Return how many tokens the slot was given that the model has not read."""

    def step(self, slots: Sequence[int]) -> list[Frame]:
        """Make the next frame of each of some streams, in one batch."""

    def encode(self, samples: npt.NDArray[np.float32]) -> Codes:
        """Turn a recording into codes [T, Nq], Nq the codec's. On any thread, one call at a time.

        Args:
            samples: At the rate of `info`: [N] if that has one channel, [N, channels] otherwise.
        """
