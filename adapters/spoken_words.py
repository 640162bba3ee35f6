"""The words of a text, as they are spoken, for frameworks that want each with its time."""

from __future__ import annotations

import re
from dataclasses import dataclass

from moss_stream import AudioChunk

__all__ = ["SpokenWord", "SpokenWords"]

UNSPACED = "\u3001-\u30ff\u3400-\u9fff\uf900-\ufaff\uff01-\uffef"
"""Characters of scripts that put no spaces between words: Chinese and Japanese, with their marks."""
_WORD = re.compile(rf"\s*(?:[{UNSPACED}]|[^\s{UNSPACED}]+)")


@dataclass(frozen=True, slots=True)
class SpokenWord:
    """A word of the written text; in Chinese and Japanese a character."""

    text: str
    """With the space before it: all of them joined are the text."""
    start_s: float
    """From the start of the stream; estimated within a segment, as `AudioChunk.char_start` is."""
    end_s: float

    @property
    def is_spaced(self) -> bool:
        """Whether its script puts spaces between words."""
        return re.search(f"[{UNSPACED}]", self.text) is None


class SpokenWords:
    """Says which words have been spoken to their ends when a chunk has been played."""

    def __init__(self) -> None:
        self._rest = ""
        self._rest_start = 0
        """Where the rest begins in the text."""
        self._begun_s: float | None = None
        """When its first word began, if some of it was spoken already."""

    def write(self, text: str) -> None:
        """Note written text, before it is spoken."""
        self._rest += text

    def spoken(self, chunk: AudioChunk) -> list[SpokenWord]:
        """Return the words that end in a chunk; those of all chunks, the final one included, are all."""
        said = self._rest[: chunk.char_end - self._rest_start]
        words, used = [], 0
        for found in _WORD.finditer(said):
            first, end = found.end() - len(found[0].lstrip()), found.end()
            start_s = self._begun_s if self._begun_s is not None else self._time(chunk, first)
            if end == len(said) and not chunk.is_final:  # more of it may come
                self._begun_s = start_s
                break
            words.append(SpokenWord(found[0], start_s, self._time(chunk, end)))
            self._begun_s, used = None, end
        self._rest, self._rest_start = self._rest[used:], self._rest_start + used
        return words

    def _time(self, chunk: AudioChunk, place: int) -> float:
        """Return when the place in the rest is spoken."""
        count = chunk.char_end - chunk.char_start
        share = (self._rest_start + place - chunk.char_start) / count if count else 0.0
        return chunk.start_s + chunk.duration_s * min(1.0, max(0.0, share))
