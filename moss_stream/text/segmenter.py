"""From text deltas to the pieces that are spoken one after the other."""

from __future__ import annotations

import re
from typing import Protocol

__all__ = ["Segmenter", "SentenceSegmenter", "WholeSegmenter", "is_speakable"]

# A sentence ends after . ! ? … and closing quotes when space follows, and after the full stops of
# scripts that put no space there when something follows that does not close a quote.
_END = re.compile(r"""[.!?…]["'”’)\]]*(?=\s)|[。！？｡۔।॥։።؟]["”’」』）】]*(?=[^"”’」』）】])|\n""")
_MAX_END = 8
"""Characters of a sentence end that may have been seen before the delta that completes it."""


class Segmenter(Protocol):
    """Cuts a text that arrives in deltas; the segments joined are the text."""

    def feed(self, delta: str) -> list[str]:
        """Take in `delta`; return the segments that are complete now."""

    def end(self) -> list[str]:
        """Return what is left, as zero or one segment."""


class SentenceSegmenter:
    """Cuts after sentences; sentences shorter than `min_chars` are joined with the next one."""

    def __init__(self, min_chars: int = 20) -> None:
        self._min_chars = min_chars
        self._buffer = ""
        self._scanned = 0

    def feed(self, delta: str) -> list[str]:
        """See `Segmenter`."""
        self._buffer += delta
        segments = []
        start = 0
        for match in _END.finditer(self._buffer, self._scanned):
            if match.end() - start >= self._min_chars and is_speakable(self._buffer[start : match.end()]):
                segments.append(self._buffer[start : match.end()])
                start = match.end()
        self._buffer = self._buffer[start:]
        self._scanned = max(0, len(self._buffer) - _MAX_END)
        return segments

    def end(self) -> list[str]:
        """See `Segmenter`."""
        rest, self._buffer, self._scanned = self._buffer, "", 0
        return [rest] if rest else []


class WholeSegmenter:
    """Keeps the whole text in one segment: a wanted length holds for all of it."""

    def __init__(self) -> None:
        self._deltas: list[str] = []

    def feed(self, delta: str) -> list[str]:
        """See `Segmenter`."""
        self._deltas.append(delta)
        return []

    def end(self) -> list[str]:
        """See `Segmenter`."""
        return ["".join(self._deltas)]


def is_speakable(text: str) -> bool:
    """Tell whether there is a letter or a digit to say."""
    return any(character.isalnum() for character in text)
