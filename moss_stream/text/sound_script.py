"""The script of a sound: its description is no text that anybody speaks."""

from __future__ import annotations

from moss_stream.text.message import Codes, Message
from moss_stream.text.segmented import Segmented

__all__ = ["SoundScript"]


class SoundScript(Segmented):
    """Implements `Script`: the description goes to the model whole, and its sound may be silent for long.

    Its options have `tokens`, the length.
    """

    @property
    def is_silence_wanted(self) -> bool:
        """See `Script`."""
        return True

    def _message(self, text: str, reference: list[Codes | None] | None) -> Message:
        return Message(ambient_sound=text, tokens=self._options.tokens)
