"""Whether a segment has lost the thread. No torch."""

from __future__ import annotations

import logging

__all__ = ["SegmentWatch"]

MAX_SILENT_FRAMES = 25
"""2 s: longer than any pause between sentences, and a model that has lost the thread stays silent for ever.
"""
MAX_MUTE_ROWS = 150
"""The delay pattern has 31 rows behind the last frame of an audio and 31 before the first of the next, and a
few words between them: a model that goes on for twice as long writes instead of speaking."""

logger = logging.getLogger("moss_stream.engine")


class SegmentWatch:
    """Counts what the model makes of a segment, and says when it has to be ended."""

    def __init__(self) -> None:
        self.begin(1)

    def begin(self, room: int) -> None:
        """A segment begins; the context holds `room` rows behind its prompt."""
        self._room = max(1, room)
        self._rows = self._frames = self._silent = self._mute = 0

    @property
    def room(self) -> int:
        """Rows that the context holds behind the prompt."""
        return self._room

    def heard(self, has_sound: bool, max_frames: int, is_pause_wanted: bool) -> bool:
        """Note a row with audio; return whether the segment runs on, or has fallen silent.

        Args:
            has_sound: The audio is not silence.
            max_frames: More than the text can need.
            is_pause_wanted: The text asks for silence.
        """
        self._rows += 1
        self._frames += 1
        self._mute = 0
        self._silent = 0 if has_sound else self._silent + 1
        if self._rows >= self._room or self._frames >= max_frames:
            logger.warning("A segment ran on longer than its text can need and was ended.")
            return True
        if self._silent == MAX_SILENT_FRAMES and not is_pause_wanted:
            logger.warning("A segment fell silent and was ended.")
            return True
        return False

    def mute(self) -> bool:
        """Note a row without audio; return whether there were too many, or there is room for no more."""
        self._rows += 1
        self._mute += 1
        if self._rows < self._room and self._mute < MAX_MUTE_ROWS:
            return False
        logger.warning("A segment went on without audio and was ended.")
        return True
