"""Cuts a long text into parts that are spoken alone: paragraphs, in groups that an edit hardly changes."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from zlib import crc32

from moss_stream.text.breaks import Strength, breaks

__all__ = ["TextPart", "text_parts", "unwrapped"]

LEAST, MOST = 500, 3_000
"""Characters of a part: half a minute, since each has a prompt to run, and three minutes, since a stop loses
what is spoken of it."""
ONE_IN = 4
"""Of so many paragraphs one ends a part. Its checksum says which: after an edit the next of them is the old
one, and so are the parts behind it."""
LONG_LINE = 50
"""Characters of a line that was broken for its length; verses and headings are shorter."""
_WRAPPED = re.compile(
    rf"(?m)^(?![ \t]*[#|])([^\n]{{{LONG_LINE},}})\n(?=[ \t]*(?![-*+•>#|=~`]|\d{{1,3}}[.)][ \t])\S)"
)
_PARAGRAPH = re.compile(r"(?:[^\n]*\S[^\n]*(?:\n|$))+\s*|\s+")
_FENCE = re.compile(r"(?m)^[ \t]*(?:```|~~~)")


@dataclass(frozen=True, slots=True)
class TextPart:
    """A part of a text."""

    text: str
    start: int
    """Where it begins."""


def unwrapped(text: str) -> str:
    """Return a text of the same length whose paragraphs are lines: breaks that only kept lines short go."""
    return _WRAPPED.sub(r"\1 ", text)


def text_parts(text: str) -> list[TextPart]:
    """Return the parts, which joined are the text.

    A part ends with a paragraph, never within a block of code; a longer paragraph is cut after a sentence.
    """
    found: list[TextPart] = []
    start = 0
    for end in _borders(text):
        found.append(TextPart(text[start:end], start))
        start = end
    return found


def _borders(text: str) -> Iterator[int]:
    """Yield where parts end, in order."""
    start = end = 0
    is_code = False
    for match in _PARAGRAPH.finditer(text):
        num_fences, was_code = len(_FENCE.findall(match[0])), is_code
        is_code ^= bool(num_fences % 2)
        if end > start and match.end() - start > MOST and not was_code:
            yield end
            start = end
        end = match.end()
        while end - start > MOST and not (num_fences or is_code):
            start += _sentence_end(text[start : start + MOST])
            yield start
        checksum = crc32(match[0].encode("utf-8", "replace"))
        is_over = end - start > MOST or (end - start >= LEAST and checksum % ONE_IN == 0)
        if is_over and not is_code:
            yield end
            start = end
    if end > start:
        yield end


def _sentence_end(text: str) -> int:
    """Return the last place where a text may be cut."""
    found = list(breaks(text, is_end=True))
    for strength in (Strength.SENTENCE, Strength.CLAUSE, Strength.WORD):
        good = [each.at for each in found if each.strength >= strength and LEAST <= each.at < len(text)]
        if good:
            return good[-1]
    return len(text)
