"""Puts the spellings of a lexicon into a text that arrives in deltas."""

from __future__ import annotations

from typing import Protocol

from moss_stream.text.lexicon import Entry, Lexicon
from moss_stream.text.normalizer import Normalizer, Readable

__all__ = ["ReadableSource", "Respelled", "normalizer_for"]


class ReadableSource(Protocol):
    """Turns deltas into text that can be read out; see `Normalizer`."""

    @property
    def num_held(self) -> int:
        """How many characters wait for more text."""

    @property
    def num_read(self) -> int:
        """How many written characters were understood."""

    @property
    def held(self) -> str:
        """What waits and might be spoken."""

    def feed(self, delta: str) -> Readable:
        """Take in `delta`; return what can be read out now."""

    def flush(self) -> Readable:
        """Return what waits, taken as if the text ended here; the text may go on."""

    def end(self) -> Readable:
        """Return what waits, and begin anew."""


class Respelled:
    """Implements `ReadableSource`: what a normalizer reads out, with the words of a lexicon respelled.

    A word waits only while more text can make it another one. Its spelling stands for it as a whole: it is
    read out with the last character.

    Args:
        normalizer: Reads what is written.
        lexicon: Has the words.
    """

    def __init__(self, normalizer: Normalizer, lexicon: Lexicon) -> None:
        self._normalizer = normalizer
        self._lexicon = lexicon
        self._begin()

    def _begin(self) -> None:
        self._text = ""
        self._ends: list[int] = []
        self._before = ""
        """The last character that was read, as it was written."""
        self._end = 0
        """Up to where the written text was read out."""
        self._is_apart = False
        """A letter that follows at once needs a space before it."""

    @property
    def num_held(self) -> int:
        """See `ReadableSource`."""
        return len(self._text) + self._normalizer.num_held

    @property
    def num_read(self) -> int:
        """See `ReadableSource`."""
        return self._ends[0] - 1 if self._ends else self._normalizer.num_read

    @property
    def held(self) -> str:
        """See `ReadableSource`."""
        return self._text + self._normalizer.held

    def feed(self, delta: str) -> Readable:
        """See `ReadableSource`."""
        return self._run(self._normalizer.feed(delta), is_final=False)

    def flush(self) -> Readable:
        """See `ReadableSource`."""
        return self._run(self._normalizer.flush(), is_final=True)

    def end(self) -> Readable:
        """See `ReadableSource`."""
        rest = self._run(self._normalizer.end(), is_final=True)
        self._begin()
        return rest

    def _run(self, read: Readable, is_final: bool) -> Readable:
        text, ends = self._text + read.text, self._ends + read.ends
        pieces: list[str] = []
        made = Readable("", [])
        at = 0
        while at < len(text):
            found = self._lexicon.find(text, at, self._before, is_final)
            if found is None:
                break
            end = found.end if found.entry else at + 1
            if found.entry:
                spoken = self._spaced(found.entry)
                made.ends.extend([self._end] * (len(spoken) - 1))
            else:
                spoken = text[at]
                if self._is_apart and spoken.isalnum():
                    pieces.append(" ")
                    made.ends.append(self._end)
                self._is_apart = False
            pieces.append(spoken)
            made.ends.append(ends[end - 1])
            self._before, self._end, at = text[end - 1], ends[end - 1], end
        self._text, self._ends = text[at:], ends[at:]
        return Readable("".join(pieces), made.ends)

    def _spaced(self, entry: Entry) -> str:
        """Return what is read out; signs of pronunciation stand apart, also where words do not."""
        needs_space = self._is_apart or (entry.is_phonetic and self._before.isalnum())
        self._is_apart = entry.is_phonetic
        return f" {entry.spelling}" if needs_space else entry.spelling


def normalizer_for(hidden: tuple[str, ...], lexicon: Lexicon | None) -> ReadableSource:
    """Return what reads a stream's text.

    Args:
        hidden: See `Normalizer`.
        lexicon: Of the words that are pronounced otherwise; None: of none.
    """
    normalizer = Normalizer(hidden)
    return normalizer if lexicon is None else Respelled(normalizer, lexicon)
