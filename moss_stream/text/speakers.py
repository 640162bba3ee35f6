"""Who says what in a text: tags such as [S1] say that from here on another speaker speaks."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

__all__ = ["MAX_SPEAKERS", "LinePart", "TagReader", "has_tag", "joined", "speaker_number"]

MAX_SPEAKERS = 5
"""As many as MOSS-TTSD was trained with."""
_TAG = re.compile(r"\[S(\d{1,2})\]")
_OPENING = re.compile(r"\[(?:S\d{0,2})?$")
"""The end of a text that may be the beginning of a tag."""


@dataclass(frozen=True, slots=True)
class LinePart:
    """A part of the line of one speaker."""

    speaker: str
    """S1 to S5; empty before the first tag."""
    text: str
    start: int
    """Where it begins in the written text."""
    is_first: bool = False
    """It begins a line: a tag stood before it."""


def speaker_number(speaker: str) -> int | None:
    """Return the number of a speaker, from 1 on; None for what is none."""
    tag = _TAG.fullmatch(f"[{speaker}]")
    number = int(tag[1]) if tag else 0
    return number if 1 <= number <= MAX_SPEAKERS and speaker == f"S{number}" else None


def has_tag(text: str) -> bool:
    """Tell whether a text names a speaker somewhere."""
    return any(speaker_number(tag[0][1:-1]) is not None for tag in _TAG.finditer(text))


class TagReader:
    """Finds the tags of a text that arrives in deltas; a tag may be split across them.

    A number beyond the speakers that there can be is no tag: it is text like any other.
    """

    def __init__(self) -> None:
        self.speaker = ""
        self._held = ""
        self._num_read = 0

    def feed(self, written: str) -> list[LinePart]:
        """Take in text; return what is said, in order; the first part of a line has no text."""
        return self._read(self._held + written, is_over=False)

    def end(self) -> list[LinePart]:
        """Return what was held back, since it could have been a tag."""
        return self._read(self._held, is_over=True)

    @property
    def num_held(self) -> int:
        """Characters that may be the beginning of a tag."""
        return len(self._held)

    def _read(self, text: str, is_over: bool) -> list[LinePart]:
        opening = None if is_over else _OPENING.search(text)
        known = text if opening is None else text[: opening.start()]
        self._held = text[len(known) :]
        found, at = [], 0
        for tag in _TAG.finditer(known):
            if speaker_number(tag[0][1:-1]) is None:
                continue
            found += self._said(known[at : tag.start()], at)
            self.speaker, at = tag[0][1:-1], tag.end()
            found.append(LinePart(self.speaker, "", self._num_read + at, is_first=True))
        found += self._said(known[at:], at)
        self._num_read += len(known)
        return found

    def _said(self, text: str, at: int) -> list[LinePart]:
        return [LinePart(self.speaker, text, self._num_read + at)] if text else []


def joined(said: Iterable[tuple[str, str]]) -> str:
    """Return what speakers said, (speaker, text) each, with a tag wherever another one begins."""
    parts: list[str] = []
    last = ""
    for speaker, text in said:
        parts.append(f"[{speaker}]{text.lstrip()}" if speaker and speaker != last else text)
        last = speaker or last
    return "".join(parts)
