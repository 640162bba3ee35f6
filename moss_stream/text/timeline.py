"""Which words belong to which moment of the speech.

The model does not say; within a segment places are estimated: its text is laid over its frames by how long
each character takes to speak. At the borders of segments they are exact.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass

from moss_stream.audio import FRAME_S
from moss_stream.text.duration import elapsed_s

__all__ = ["Spoken", "Timeline", "Word"]

_WORD = re.compile(r"\S+")
_MARKS = " \n\t*_~`[("
PIECE = 1_000
"""Characters of written text that are kept as one string."""
_HEARD_S = FRAME_S / 2
"""A word counts as heard when no more than this of it is missing."""


@dataclass(frozen=True, slots=True)
class Spoken:
    """What the listener heard of a turn."""

    text: str
    """The part of the written text that was heard, in whole words."""
    char_end: int
    """Its length."""
    seconds: float
    """Audio that was played."""
    exact: bool
    """Speech stopped at a border of segments; otherwise the place is estimated from the time."""


@dataclass(frozen=True, slots=True)
class Word:
    """A word of the written text, and when it is spoken."""

    text: str
    char_start: int
    char_end: int
    start_s: float
    end_s: float
    speaker: str = ""
    """Who speaks it, in a dialogue."""


@dataclass(slots=True)
class _Segment:
    text: str
    first_char: int
    first_frame: int
    places_s: list[float]
    speaker: str = ""
    num_frames: int = 0
    is_over: bool = False

    def seconds(self, rate: float) -> float:
        """The length of its audio, as far as it is known: `rate` seconds for one that was estimated."""
        made_s = self.num_frames * FRAME_S
        return made_s if self.is_over else max(made_s, self.places_s[-1] * rate)

    def chars_at(self, seconds: float, rate: float) -> int:
        """How many characters are spoken after some seconds of it."""
        whole_s = self.seconds(rate)
        if not whole_s or not self.places_s[-1]:
            return len(self.text) if self.is_over else 0
        return min(len(self.text), bisect_right(self.places_s, seconds / whole_s * self.places_s[-1]) - 1)


class Timeline:
    """The written text, the segments it was spoken in, and their frames."""

    def __init__(self) -> None:
        self._written: list[str] = []
        self._ends: list[int] = []
        self._num_written = 0
        self._num_begun = 0
        self._segments: list[_Segment] = []
        self._words: list[Word] = []
        self._num_frames = 0
        self._reached = 0
        self._has_ended = False

    def write(self, text: str) -> None:
        """Note written text, before it is normalised."""
        if self._written and len(self._written[-1]) < PIECE:
            self._written[-1] += text  # a string for each token would take many times the memory of its text
        else:
            self._written.append(text)
        self._num_written += len(text)

    def read(self, ends: list[int]) -> None:
        """Note, for each normalised character, the written text up to it (see `Readable`)."""
        self._ends += ends

    def begin(self, text: str, speaker: str = "") -> None:
        """Note that a segment of the normalised text is spoken next, and by whom."""
        self._segments.append(_Segment(text, self._num_begun, self._num_frames, elapsed_s(text), speaker))
        self._num_begun += len(text)

    def extend(self, text: str) -> None:
        """Note that the current segment goes on with more of the normalised text."""
        segment = self._segments[-1]
        start_s = segment.places_s[-1]
        segment.text += text
        segment.places_s += [start_s + place_s for place_s in elapsed_s(text)[1:]]
        self._num_begun += len(text)

    @property
    def segment_s(self) -> float:
        """About how long the current segment takes to speak."""
        return self._segments[-1].places_s[-1]

    def frame(self) -> tuple[int, int]:
        """Note a frame of the current segment; return the part of the written text that it speaks."""
        segment = self._segments[-1]
        segment.num_frames += 1
        self._num_frames += 1
        chars = segment.chars_at(segment.num_frames * FRAME_S, self._rate())
        return self._advance(segment.first_char + chars)

    def begins_word(self) -> bool:
        """Tell whether the next frame of the current segment begins it, or begins between two words."""
        segment = self._segments[-1]
        at = segment.chars_at(segment.num_frames * FRAME_S, self._rate())
        return at == 0 or any(character.isspace() for character in segment.text[at - 1 : at + 1])

    def left_s(self, num_waiting: int) -> float:
        """Return about how much audio is still to come.

        Args:
            num_waiting: Characters that follow the current segment.
        """
        segment = self._segments[-1]
        whole_s = segment.places_s[-1] * self._rate()
        left_s = 0.0 if segment.is_over else max(0.0, whole_s - segment.num_frames * FRAME_S)
        return left_s + whole_s * num_waiting / max(1, len(segment.text))

    def end_segment(self) -> None:
        """Note that the current segment has no more frames."""
        self._segments[-1].is_over = True
        self._words += self._words_of(self._segments[-1])

    def end(self) -> tuple[int, int]:
        """Note that everything is spoken; return the part of the text that no frame had."""
        self._has_ended = True
        start, self._reached = self._reached, self._num_written
        return start, self._reached

    @property
    def reached(self) -> int:
        """The end of the written text that frames were made for."""
        return self._reached

    @property
    def written(self) -> str:
        """The text as it was written."""
        return "".join(self._written)

    def spoken(self, seconds: float) -> Spoken:
        """Return what was heard when `seconds` of the audio were played."""
        at, exact = self._heard(seconds)
        end = self._written_end(at)
        if self._has_ended and seconds >= self._num_frames * FRAME_S - _HEARD_S:
            end, exact = self._num_written, True
        return Spoken(self.written[:end], end, seconds, exact)

    def is_heard(self, index: int, seconds: float) -> bool:
        """Tell whether segment `index` was heard to its end when `seconds` were played."""
        segment = self._segments[index]
        return segment.is_over and self._end_s(segment) <= seconds + _HEARD_S

    @property
    def num_segments(self) -> int:
        """How many segments were begun."""
        return len(self._segments)

    def words(self) -> list[Word]:
        """Return the words of all segments that are over. On any thread."""
        return list(self._words)

    def _words_of(self, segment: _Segment) -> list[Word]:
        scale = segment.seconds(1.0) / segment.places_s[-1] if segment.places_s[-1] else 0.0
        start_s, written = segment.first_frame * FRAME_S, self.written
        words: list[Word] = []
        for start, end in self._written_words(segment):
            first = segment.first_char + start
            char_end = self._written_end(segment.first_char + end)
            char_start = self._written_start(first, segment.text[start], char_end)
            from_s, to_s = (start_s + segment.places_s[at] * scale for at in (start, end))
            word = written[char_start:char_end]
            words.append(Word(word, char_start, char_end, from_s, to_s, segment.speaker))
        return words

    def _written_start(self, first: int, character: str, char_end: int) -> int:
        """Return where what is spoken from the character `first` on was written.

        A letter begins where it stands; what stands for something else, after what was before it and the
        marks between them.
        """
        written, before = self.written, self._written_end(first)
        start = max(self._ends[first] - 1, before)
        if written[start : start + 1] == character:
            return start
        return next((at for at in range(before, char_end) if written[at] not in _MARKS), before)

    def _heard(self, seconds: float) -> tuple[int, bool]:
        """Return how many characters were heard, and whether that is exact."""
        heard = 0
        for segment in self._segments:
            start_s = segment.first_frame * FRAME_S
            if seconds < start_s + _HEARD_S:
                break
            if segment.is_over and seconds >= self._end_s(segment) - _HEARD_S:
                heard = segment.first_char + len(segment.text)
                continue
            chars = segment.chars_at(seconds - start_s + _HEARD_S, self._rate())
            whole = [0, *(end for _, end in self._written_words(segment) if end <= chars)]
            return segment.first_char + whole[-1], False
        return heard, True

    def _written_words(self, segment: _Segment) -> Iterator[tuple[int, int]]:
        """Yield where words of the written text begin and end in a segment; one may be spelled as several."""
        begun: int | None = None
        for found in _WORD.finditer(segment.text):
            start = found.start() if begun is None else begun
            before, end = (self._written_end(segment.first_char + at) for at in (start, found.end()))
            begun = start if end <= before else None
            if begun is None:
                yield start, found.end()

    def _end_s(self, segment: _Segment) -> float:
        return (segment.first_frame + segment.num_frames) * FRAME_S

    def _rate(self) -> float:
        """How many seconds an estimated second took so far."""
        over = [s for s in self._segments[-4:] if s.is_over and s.num_frames and s.places_s[-1]]
        estimated_s = sum(s.places_s[-1] for s in over)
        return sum(s.num_frames for s in over) * FRAME_S / estimated_s if estimated_s else 1.0

    def _advance(self, chars: int) -> tuple[int, int]:
        start, self._reached = self._reached, max(self._reached, self._written_end(chars))
        return start, self._reached

    def _written_end(self, chars: int) -> int:
        return self._ends[chars - 1] if chars else 0
