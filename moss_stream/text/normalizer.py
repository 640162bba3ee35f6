"""From what a language model writes to what is read out: no markdown, no emoji, no code, no addresses.

Text comes in deltas, and markers are split across them. What a character means is decided from the text
alone, never from the cut: while more text could change the meaning, the characters wait.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace

from moss_stream.text.markup import MAX_TAG, SPACE, Rule, Scan, begins_hidden, inline_rule, strip_line_start

__all__ = ["Normalizer", "Readable"]

_PLAIN = re.compile(r"[^\W_hHwW\u200d][^\W_\u200d]*")
"""A word that cannot be the beginning of an address."""


@dataclass(frozen=True, slots=True)
class Readable:
    """Text to be read out, and which part of what was written it stands for."""

    text: str
    ends: list[int]
    """For each character: up to where the written text is read out with it, counted from its beginning."""


@dataclass(frozen=True, slots=True)
class _Mode:
    """Where in the text's structure the next character stands."""

    is_line_start: bool = True
    fence: str = ""
    """The three characters that end the code block; empty outside of one."""
    is_dropped: bool = False
    """The rest of the line is not read out."""
    is_row: bool = False
    """The line is a row of a table."""
    skip: str = ""
    """Everything up to this is passed over, however long it is."""
    is_code: bool = False
    """It is within backticks."""


class Normalizer:
    r"""Turns deltas into text that can be read out.

    Markdown's marks go and its text stays; code blocks, HTML tags, emoji and invisible characters go;
    of an address its host stays; runs of white space become one space or one line break.
    `[pause 1.5s]`, `/IPA/`, snake_case, 2 * 3 and everything else that only looks like a mark stay.
    Formulas (`$x^2$`, `\(y\)`) are read if they are as simple as x + 1, and dropped otherwise.

    Args:
        hidden: Names of tags whose content is dropped as it arrives, like that of HTML comments.
    """

    def __init__(self, hidden: Iterable[str] = ()) -> None:
        self._hidden = tuple(name.lower() for name in hidden)
        self._text = ""
        self._ends: list[int] = []
        self._num_written = 0
        self._mode = _Mode()
        self._goes_on = False
        self._last = ""
        self._made = Readable("", [])
        self._pieces: list[str] = []

    @property
    def num_held(self) -> int:
        """How many written characters wait for more text to tell what they mean."""
        return len(self._text)

    @property
    def num_read(self) -> int:
        """How many written characters were understood."""
        return self._ends[0] - 1 if self._ends else self._num_written

    @property
    def held(self) -> str:
        """What waits and might be spoken, as it was written; empty within what is not read out."""
        mode = self._mode
        is_dropped = mode.fence or mode.is_dropped or mode.skip or begins_hidden(self._text, self._hidden)
        return "" if is_dropped else self._text

    def feed(self, delta: str) -> Readable:
        """Take in `delta`; return what can be read out now."""
        start, self._num_written = self._num_written, self._num_written + len(delta)
        self._text += delta
        self._ends += range(start + 1, self._num_written + 1)
        return self._run(is_final=False)

    def flush(self) -> Readable:
        """Return what waits, taken as if the text ended here; the text may go on."""
        return self._run(is_final=True, goes_on=True)

    def end(self) -> Readable:
        """Return what waits, and begin anew."""
        rest = self._run(is_final=True)
        self._mode, self._last, self._num_written = _Mode(), "", 0
        self._text, self._ends = "", []
        return rest

    def _run(self, is_final: bool, goes_on: bool = False) -> Readable:
        self._goes_on = goes_on
        self._made = Readable("", [])
        at = 0
        while at < len(self._text):
            after = self._next(at, is_final)
            if after is None:
                break
            at = after
        self._text, self._ends = self._text[at:], self._ends[at:]
        made = replace(self._made, text="".join(self._pieces))
        self._pieces.clear()
        return made

    def _next(self, at: int, is_final: bool) -> int | None:
        """Read one thing; return where the next one begins, or None if more text is needed."""
        mode = self._mode
        if mode.skip:
            return self._skip(at)
        if mode.is_dropped:
            return self._drop_line(at)
        if mode.fence and mode.is_line_start:
            return self._inside_fence(at, is_final)
        if mode.is_line_start:
            return self._line_start(at, is_final)
        if word := _PLAIN.match(self._text, at):
            self._write(word[0], self._ends[at : word.end()])
            return word.end()
        scan = Scan(
            self._text, at, is_final, self._last, mode.is_row, self._hidden, mode.is_code, self._goes_on
        )
        return self._apply(inline_rule(scan), at)

    def _apply(self, rule: Rule | None, at: int) -> int | None:
        if rule is None:
            return None
        if rule.spoken:
            # What stands for something else has been read out with its last character, not before.
            before = self._ends[at - 1] if at else self._ends[0] - 1
            self._write(rule.spoken, [before] * (len(rule.spoken) - 1) + [self._ends[rule.end - 1]])
        if rule.skip or rule.is_tick:
            is_code = self._mode.is_code is not rule.is_tick
            self._mode = replace(self._mode, skip=rule.skip, is_code=is_code)
        if rule.again:  # a link's text may hold marks of its own
            inside = self._ends[at + 1 : at + len(rule.again)]
            self._ends = [*inside, self._ends[rule.end - 1], *self._ends[rule.end :]]
            self._text = rule.again + self._text[rule.end :]
            return 0
        if rule.end > at and not rule.skip and self._text[rule.end - 1] == "\n":
            self._mode = _Mode(fence=self._mode.fence)
        return rule.end

    def _skip(self, at: int) -> int | None:
        """Pass over text up to what ends it; of what may be the beginning of that, nothing yet."""
        skip = self._mode.skip
        if skip == SPACE:
            found = re.compile(r"\s").search(self._text, at)
            self._mode = replace(self._mode, skip="" if found else skip)
            return found.start() if found else len(self._text)
        if found := _end_of(skip).search(self._text, at):
            is_line_start = self._last in ("", "\n")
            self._mode = replace(self._mode, skip="", is_line_start=is_line_start)
            return found.end()
        end = _begun(self._text, at, skip)
        return end if end > at else None

    def _drop_line(self, at: int) -> int:
        end = self._text.find("\n", at)
        if end < 0:
            return len(self._text)
        self._mode = _Mode(fence=self._mode.fence)
        self._write("\n", self._ends[end : end + 1])
        return end + 1

    def _inside_fence(self, at: int, is_final: bool) -> int | None:
        line = self._text[at : at + 200].lstrip(" \t")
        fence = self._mode.fence
        if not is_final and len(line) < len(fence) and fence.startswith(line):
            return None
        is_end = line.startswith(fence)
        self._mode = replace(self._mode, fence="" if is_end else fence, is_dropped=True, is_line_start=False)
        return at

    def _line_start(self, at: int, is_final: bool) -> int | None:
        start = strip_line_start(self._text, at, is_final)
        if start is None:
            return None
        self._mode = _Mode(
            is_line_start=False, fence=start.fence, is_dropped=bool(start.fence), is_row=start.is_row
        )
        return start.end

    def _write(self, text: str, ends: list[int]) -> None:
        for character, end in zip(text, ends, strict=True):
            if character == "\n":
                is_kept = self._last not in ("", "\n")
            elif character.isspace():
                character, is_kept = " ", self._last not in ("", "\n", " ")
            else:
                is_kept = True
            if is_kept:
                self._pieces.append(character)
                self._made.ends.append(end)
                self._last = character


def _end_of(skip: str) -> re.Pattern[str]:
    """Return what ends a part that is passed over; in a closing tag there may be white space."""
    if skip.startswith("</"):
        return re.compile(rf"</\s*{re.escape(skip[2:])}\s*>", re.IGNORECASE)
    return re.compile(re.escape(skip), re.IGNORECASE)


def _begun(text: str, at: int, skip: str) -> int:
    """Return where, at the end of a text, what may become the end of a skipped part begins."""
    if not skip.startswith("</"):
        tail = text[at:][1 - len(skip) :].lower() if len(skip) > 1 else ""
        return len(text) - next((n for n in range(len(tail), 0, -1) if skip.startswith(tail[-n:])), 0)
    start = text.rfind("<", max(at, len(text) - MAX_TAG))
    if start < 0:
        return len(text)
    tight = re.sub(r"\s", "", text[start:]).lower()
    return start if skip.startswith(tight) else len(text)
