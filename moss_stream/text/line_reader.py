"""Reads a dialogue: one speaker's line after the other, each read and cut like a text of its own."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Collection

from moss_stream.errors import TextError
from moss_stream.text.reader import Reader
from moss_stream.text.speakers import LinePart, TagReader

__all__ = ["LineReader"]


class LineReader:
    """Works as a `Reader` does; no segment reaches from one speaker to another.

    While a line is spoken, the lines behind it wait as they were written.

    Args:
        make: Makes the reader of all lines, told whom to tell which part of a line was read.
        on_read: Told, for each character that is read out, up to where the written text goes with it.
        speakers: Those that there are; None: whoever speaks.
    """

    def __init__(
        self,
        make: Callable[[Callable[[list[int]], None]], Reader],
        on_read: Callable[[list[int]], None],
        speakers: Collection[str] | None,
    ) -> None:
        self._reader = make(self._took)
        self._on_read = on_read
        self._speakers = speakers
        self._lines = TagReader()
        self._waiting: deque[LinePart] = deque()
        self._num_written = self._num_given = 0
        self._start = 0
        self._has_ended = self._is_flushed = self._is_finished = False
        self.speaker = ""
        """Who speaks the segment that `next` has returned."""

    @property
    def num_readable(self) -> int:
        """Characters that were written; see `num_begun`."""
        return self._num_written

    @property
    def num_begun(self) -> int:
        """How many of them are begun, or stand for nothing that is spoken."""
        return max(0, self._num_given - self._reader.num_waiting)

    @property
    def num_waiting(self) -> int:
        """Characters that are not begun yet."""
        return self.num_readable - self.num_begun

    def feed(self, written: str, now_s: float) -> None:
        """Take in text as it was written. Raises TextError if somebody speaks who has no voice."""
        self._num_written += len(written)
        self._wait(self._lines.feed(written))
        self._go_on(now_s)

    def flush(self, now_s: float) -> None:
        """Let what is there be spoken, as if the text ended; it may go on."""
        self._is_flushed = True
        self._go_on(now_s)

    def whole(self) -> None:
        """Say that all text is there already."""
        self._reader.whole()

    def end(self, now_s: float) -> None:
        """Say that no more text comes."""
        self._wait(self._lines.end())
        self._has_ended = True
        self._go_on(now_s)

    def next(self, now_s: float, lead_s: float) -> str | None:
        """Return the next segment, or None: better wait."""
        while (segment := self._reader.next(now_s, lead_s)) is None:
            if not self._go_on(now_s):
                return None
        return segment

    def wait_s(self, now_s: float, lead_s: float) -> float | None:
        """Return in how many seconds `next` might answer otherwise without more text; None: never."""
        return self._reader.wait_s(now_s, lead_s)

    def _wait(self, parts: list[LinePart]) -> None:
        for part in parts:
            is_known = self._speakers is None or part.speaker in self._speakers
            if not is_known and (part.is_first or not part.text.isspace()):
                raise TextError(_unknown(part.speaker, self._speakers or ()))
            self._waiting.append(part)

    def _go_on(self, now_s: float) -> bool:
        """Read as far as the line that is spoken goes; return whether anything was read."""
        num_given = self._num_given
        while self._waiting and (not self._waiting[0].is_first or self._finish(now_s)):
            part = self._waiting.popleft()
            if part.is_first:
                self.speaker, self._start, self._is_finished = part.speaker, part.start, False
            self._num_given = part.start + len(part.text)
            self._reader.feed(part.text, now_s)
        if not self._waiting:
            self._release(now_s)
        return self._num_given > num_given

    def _finish(self, now_s: float) -> bool:
        """End the line that is spoken; return whether nothing of it waits."""
        if not self._is_finished:
            self._reader.end(now_s)
            self._is_finished = True
        return not self._reader.num_waiting

    def _release(self, now_s: float) -> None:
        """Let what is there of the last line be spoken, if it was asked for."""
        if self._has_ended and self._finish(now_s):
            self._num_given = self._num_written
        elif self._is_flushed:
            self._reader.flush(now_s)
        self._is_flushed = False

    def _took(self, ends: list[int]) -> None:
        self._on_read([self._start + end for end in ends])


def _unknown(speaker: str, speakers: Collection[str]) -> str:
    known = ", ".join(sorted(speakers))
    who = f"has a line of {speaker}" if speaker else "begins without saying who speaks"
    return (
        f"The dialogue {who}, and `voices` are those of {known}. Begin each line with the tag of one of "
        "them, or give a voice for each speaker (None leaves it to the model)."
    )
