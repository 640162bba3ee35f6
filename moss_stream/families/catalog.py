"""The family as its makers publish it: what there is, how large it is, and what each model is for."""

from __future__ import annotations

from dataclasses import dataclass

from moss_stream.uses import Use

__all__ = ["CATALOG", "Published"]

_OWNER = "OpenMOSS-Team"
_SPEECH, _TALK = frozenset({Use.SPEECH}), frozenset({Use.SPEECH, Use.DIALOGUE})


@dataclass(frozen=True, slots=True)
class Published:
    """A checkpoint that can be downloaded."""

    name: str
    gigabytes: float
    """Of its weights in bfloat16, counted from its widths; the codec comes on top (v1: 7.1 GB)."""
    uses: frozenset[Use]
    purpose: str
    """For people, in some words."""

    @property
    def repository(self) -> str:
        """Its id on the hub."""
        return f"{_OWNER}/{self.name}"


CATALOG = (
    Published(
        "MOSS-TTS-Local-Transformer", 5.5, _SPEECH, "speech in 1 of 32 depths: small, early first audio"
    ),
    Published(
        "MOSS-TTS-Local-Transformer-v1.5",
        8.7,
        _SPEECH,
        "speech in 48 kHz stereo, many languages",
    ),
    Published("MOSS-TTS-Realtime", 4.0, _SPEECH, "voice agents: reads while it speaks, hears the user"),
    Published("MOSS-TTS-v1.5", 17.0, _TALK, "speech in production: the most stable one, long texts"),
    Published("MOSS-TTS", 17.0, _TALK, "the same, first version"),
    Published("MOSS-TTSD-v1.0", 16.8, _TALK, "dialogues of two to five speakers"),
    Published(
        "MOSS-VoiceGenerator",
        4.4,
        frozenset({Use.SPEECH, Use.VOICE_DESIGN}),
        "voices from a description, for the other models",
    ),
    Published("MOSS-SoundEffect", 17.0, frozenset({Use.SOUND}), "sounds from a description"),
)
"""In the order in which one would try them."""
