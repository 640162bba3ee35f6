"""What a model can be asked for."""

from __future__ import annotations

from enum import StrEnum

__all__ = ["Use"]


class Use(StrEnum):
    """One kind of order; most models take only some."""

    SPEECH = "speech"
    """A text in one voice."""
    DIALOGUE = "dialogue"
    """A text of several speakers."""
    VOICE_DESIGN = "voice design"
    """A voice from a description."""
    SOUND = "sound"
    """A sound from a description."""
