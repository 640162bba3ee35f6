"""Who speaks a stream, and in which voice."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from moss_stream.text.message import Codes
from moss_stream.text.speakers import speaker_number
from moss_stream.voices import Voice

__all__ = ["Cast"]


@dataclass(frozen=True, slots=True)
class Cast:
    """The voices of a stream; None leaves a voice to the model."""

    voices: Mapping[str, Voice | None]
    """By speaker: S1 to S5, or the empty name of who speaks a text without tags."""

    @classmethod
    def alone(cls, voice: Voice | None) -> Cast:
        """Return the cast of a text in one voice."""
        return cls({"": voice})

    @property
    def reference(self) -> list[Codes | None] | None:
        """What a prompt shows of them, the first speaker first; None if it shows nobody."""
        known = {
            speaker_number(speaker) or 1: voice.codes
            for speaker, voice in self.voices.items()
            if voice is not None
        }
        return [known.get(number) for number in range(1, max(known) + 1)] if known else None

    def gain(self, speaker: str) -> float:
        """Return what the samples of a speaker are multiplied with."""
        voice = self.voices.get(speaker)
        return 1.0 if voice is None else voice.gain
