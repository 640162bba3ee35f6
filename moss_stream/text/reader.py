"""From what is written to what is spoken next: text is made readable, then cut into segments."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from moss_stream.text.normalizer import Readable
from moss_stream.text.respelled import ReadableSource
from moss_stream.text.segmenter import RESERVE_S, WORD_S, Segmenter

__all__ = ["Reader", "SegmentReader"]

HOLD_S = 0.5
"""How long a listener who runs dry waits for a mark to be completed while text keeps coming.

With the 0.2 s after which the segmenter gives way too (`PATIENCE_S`) this stays under a second.
"""


class SegmentReader(Protocol):
    """Turns written text into the segments that are spoken; those who speak may take turns."""

    @property
    def speaker(self) -> str:
        """Who speaks the segment that `next` has just returned; empty in a text without speakers."""

    @property
    def num_readable(self) -> int:
        """Characters that are read out, begun or not."""

    @property
    def num_begun(self) -> int:
        """How many of them are begun."""

    @property
    def num_waiting(self) -> int:
        """Characters that are not begun yet."""

    def feed(self, written: str, now_s: float) -> None:
        """Take in text as it was written."""

    def flush(self, now_s: float) -> None:
        """Let what is there be spoken, as if the text ended; it may go on."""

    def whole(self) -> None:
        """Say that all text is there already: how it is cut then follows from the text alone."""

    def end(self, now_s: float) -> None:
        """Say that no more text comes."""

    def next(self, now_s: float, lead_s: float) -> str | None:
        """Return the next segment, or None: better wait. Arguments as for `Segmenter.next`."""

    def wait_s(self, now_s: float, lead_s: float) -> float | None:
        """Return in how many seconds `next` might answer otherwise without more text; None: never."""


class Reader:
    """Reads a text that arrives in pieces, and never lets an unfinished mark hold up a listener.

    While nobody waits, what a character means depends on the text alone. When the listener is about to run
    dry and the text pauses, or a mark has been open for long, what is there is read as it stands.

    Args:
        normalizer: Says what is read out.
        segmenter: Cuts it.
        on_read: Told, for each character that is read out, up to where the written text goes with it.
        max_wait_s: How long a text may pause before a listener who is about to run dry gets what is there;
            None: what is held back waits for the end.
    """

    speaker = ""

    def __init__(
        self,
        normalizer: ReadableSource,
        segmenter: Segmenter,
        on_read: Callable[[list[int]], None],
        max_wait_s: float | None,
    ) -> None:
        self._normalizer = normalizer
        self._segmenter = segmenter
        self._on_read = on_read
        self._max_wait_s = max_wait_s
        self._fed_s = self._held_s = 0.0
        self.num_readable = 0
        """Characters that are read out, begun or not."""

    @property
    def num_begun(self) -> int:
        """How many of them are begun."""
        return self.num_readable - self._segmenter.num_chars

    @property
    def num_waiting(self) -> int:
        """Characters that are not begun yet."""
        return self._segmenter.num_chars + self._normalizer.num_held

    def feed(self, written: str, now_s: float) -> None:
        """Take in text as it was written."""
        if not written:
            return
        self._fed_s = now_s
        before, num_held = self._normalizer.num_read, self._normalizer.num_held
        readable = self._normalizer.feed(written)
        if not num_held or self._normalizer.num_read != before:
            self._held_s = now_s
        self._take(readable, now_s, now_s)

    def flush(self, now_s: float) -> None:
        """Let what is there be spoken, as if the text ended; it may go on."""
        self._take(self._normalizer.flush(), now_s, now_s)
        self._segmenter.flush()

    def whole(self) -> None:
        """Say that all text is there already: how it is cut then follows from the text alone."""
        self._max_wait_s = None
        self._segmenter.whole()

    def end(self, now_s: float) -> None:
        """Say that no more text comes."""
        self._take(self._normalizer.end(), now_s, now_s)
        self._segmenter.end()

    def next(self, now_s: float, lead_s: float) -> str | None:
        """Return the next segment, or None: better wait. Arguments as for `Segmenter.next`."""
        release_s = self._release_s(now_s, lead_s)
        if release_s is not None and release_s <= 0:
            self._take(self._normalizer.flush(), self._fed_s, self._held_s)
        return self._segmenter.next(now_s, lead_s)

    def wait_s(self, now_s: float, lead_s: float) -> float | None:
        """Return in how many seconds `next` might answer otherwise without more text; None: never."""
        waits = (self._segmenter.wait_s(now_s, lead_s), self._release_s(now_s, lead_s))
        return min((wait for wait in waits if wait is not None), default=None)

    def _take(self, readable: Readable, now_s: float, since_s: float) -> None:
        self.num_readable += len(readable.text)
        self._on_read(readable.ends)
        self._segmenter.feed(readable.text, now_s, since_s)

    def _release_s(self, now_s: float, lead_s: float) -> float | None:
        """Return in how many seconds what is held back must be read as it stands; None: not by time."""
        if self._max_wait_s is None:
            return None
        held = self._normalizer.held
        low_s = lead_s - self._max_wait_s - RESERVE_S
        paused_s = self._fed_s + self._max_wait_s - now_s
        if held == "!":  # before a bracket it would be part of a picture; a pause makes that unlikely
            return max(paused_s, low_s)
        if not any(character.isalnum() for character in held):
            return None  # only marks: nobody waits for them
        aged_s = max(self._held_s + HOLD_S - now_s, lead_s - RESERVE_S)
        return min(aged_s, max(paused_s + WORD_S, low_s))
