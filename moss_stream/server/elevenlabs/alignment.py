"""Times of characters, from the times of words."""

from __future__ import annotations

from dataclasses import dataclass, field

from moss_stream import Word

__all__ = ["CharacterTimes", "Characters"]


@dataclass(slots=True)
class Characters:
    """Characters in a row, and when each begins and ends, in milliseconds of what is heard."""

    chars: list[str] = field(default_factory=list)
    starts_ms: list[int] = field(default_factory=list)
    ends_ms: list[int] = field(default_factory=list)

    def add(self, text: str, start_ms: int, end_ms: int) -> None:
        """Share a time among the characters of a text; white space of any kind is a space."""
        for index, char in enumerate(text):
            self.chars.append(" " if char.isspace() else char)
            self.starts_ms.append(start_ms + (end_ms - start_ms) * index // len(text))
            self.ends_ms.append(start_ms + (end_ms - start_ms) * (index + 1) // len(text))

    def extend(self, other: Characters) -> None:
        """Add those that follow."""
        self.chars += other.chars
        self.starts_ms += other.starts_ms
        self.ends_ms += other.ends_ms


class CharacterTimes:
    """Follows one stream: its text as it is given, its words as their times are known.

    Every character of the text comes once, in order, those that are not spoken included; of the normalised
    text, the words with single spaces between them. Times never go back.

    Args:
        speed: Seconds of the stream's audio that are heard in a second.
    """

    def __init__(self, speed: float = 1.0) -> None:
        self._speed = speed
        self._text = ""
        self._num_gone = 0
        self._end_ms = 0
        self._has_spoken = False

    @property
    def end_ms(self) -> int:
        """Where the last character ends."""
        return self._end_ms

    def write(self, text: str) -> None:
        """Note text that was given."""
        self._text += text

    def words(self, words: list[Word]) -> tuple[Characters, Characters]:
        """Return the characters up to the last of some words: of the text, and of the normalised text."""
        written, spoken = Characters(), Characters()
        for word in words:
            gap, own = self._take(word.char_start), self._take(word.char_end)
            start_ms = max(self._end_ms, self._heard_ms(word.start_s))
            end_ms = max(start_ms, self._heard_ms(word.end_s))
            written.add(gap, self._end_ms, start_ms)
            if self._has_spoken and any(map(str.isspace, gap)):
                spoken.add(" ", self._end_ms, start_ms)
            written.add(own, start_ms, end_ms)
            spoken.add(own, start_ms, end_ms)
            self._end_ms, self._has_spoken = end_ms, True
        return written, spoken

    def rest(self) -> tuple[Characters, Characters]:
        """Return what is left of the text, and a space: clients know by it that the last word is whole."""
        written, spoken = Characters(), Characters()
        left = self._text if self._text[-1:].isspace() else self._text + " "
        written.add(left, self._end_ms, self._end_ms)
        spoken.add(" ", self._end_ms, self._end_ms)
        self._text = ""
        return written, spoken

    def _take(self, end: int) -> str:
        count = max(0, end - self._num_gone)
        taken, self._text = self._text[:count], self._text[count:]
        self._num_gone += len(taken)
        return taken

    def _heard_ms(self, seconds: float) -> int:
        return round(1000 * seconds / self._speed)
