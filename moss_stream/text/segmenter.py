"""From text deltas to the pieces that are spoken one after the other."""

from __future__ import annotations

import re
from typing import Protocol

from moss_stream.text.abbreviations import may_end_sentence

__all__ = ["Segmenter", "SentenceSegmenter", "WholeSegmenter", "is_speakable"]

# A sentence ends after . ! ? … and closing quotes when space follows, and after the full stops of
# scripts that put no space there when something follows that does not close a quote.
_END = re.compile(r"""[.!?…]["'”’)\]]*(?=\s)|[。！？｡۔।॥։።؟]["”’」』）】]*(?=[^"”’」』）】])|\n""")
_MAX_END = 8
"""Characters of a sentence end that may have been seen before the delta that completes it."""
_MAX_BEFORE = 40
"""Characters before a full stop that tell whether it ends a sentence."""
_NEXT = re.compile(r"\s*(\S?)")


class Segmenter(Protocol):
    """Cuts a text that arrives in deltas; the segments joined are the text."""

    def feed(self, delta: str) -> list[str]:
        """Take in `delta`; return the segments that are complete now."""

    def end(self) -> list[str]:
        """Return what is left, as zero or one segment."""


class SentenceSegmenter:
    """Cuts after sentences, never after an abbreviation or an ordinal number.

    Sentences shorter than `min_chars` are joined with the next one.
    """

    def __init__(self, min_chars: int = 20) -> None:
        self._min_chars = min_chars
        self._buffer = ""
        self._scanned = 0

    def feed(self, delta: str) -> list[str]:
        """See `Segmenter`."""
        self._buffer += delta
        segments = []
        start = 0
        scanned = len(self._buffer) - _MAX_END
        for match in _END.finditer(self._buffer, self._scanned):
            is_end = self._ends_sentence(match)
            if is_end is None:
                scanned = match.start()
                break
            end = match.end()
            if is_end and end - start >= self._min_chars and is_speakable(self._buffer[start:end]):
                segments.append(self._buffer[start:end])
                start = end
        self._buffer = self._buffer[start:]
        self._scanned = max(0, scanned - start)
        return segments

    def _ends_sentence(self, match: re.Match[str]) -> bool | None:
        """Tell whether a sentence ends here; None: more text is needed to know."""
        if not match[0].startswith("."):
            return True
        before = self._buffer[max(0, match.start() - _MAX_BEFORE) : match.start()]
        verdicts = {may_end_sentence(before, after) for after in ("a", "A")}
        if len(verdicts) == 1:
            return verdicts.pop()
        after = _NEXT.match(self._buffer, match.end())
        return may_end_sentence(before, after[1]) if after and after[1] else None

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
