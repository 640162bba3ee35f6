"""What the host knows of a stream's context: its prompt, how much of it is in the cache, and what follows."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from moss_stream.engine.fed_text import FedText
from moss_stream.text.message import Rows

__all__ = ["Slot"]


@dataclass(slots=True)
class Slot:
    """One stream.

    A prompt is run in chunks with fixed borders, one of them where its text begins. Chunks whose rows are
    those of the last prompt are kept; what may have been overwritten is not trusted. Where the model reads
    its text while it speaks, the rows that were read so count as the prompt's, and all rows that are
    unchanged are kept: a conversation runs only what is new.
    """

    n_vq: int
    rows: Rows
    """The prompt, [T, 1 + Nq]."""
    num_fixed: int = 0
    """Rows at the start of the prompt that other prompts are likely to share."""
    length: int = 0
    """Rows in the cache."""
    is_fresh: bool = False
    """The hidden state is that of the prompt; no row was sampled since."""
    is_outside: bool = True
    """Its next row is one of words, where a model has such rows."""
    text: FedText | None = None
    """What the model reads while it speaks; None if its prompts hold the whole text."""
    _kept: int = 0
    """Rows of the prompt that can be trusted when the next one comes."""
    _borders: tuple[int, ...] = ()
    """Where the chunks of the prompt end."""
    _prompt: Rows | None = None
    """The prompt as it was given."""

    def open(self, n_vq: int) -> None:
        """Start another stream; what the one before left can be used if it had as many codebooks."""
        if n_vq != self.n_vq:  # rows embed only the codebooks in use
            self.forget()
        self.n_vq, self.is_fresh = n_vq, False
        if self.text is not None:
            self._note_read(self.text)
            self.text.clear()

    def forget(self) -> None:
        """Trust nothing that is in the cache."""
        self._kept = 0
        if self.text is not None:
            self.length = 0

    def begin(self, rows: Rows, num_fixed: int, chunk: int) -> None:
        """Take a prompt, to be run in chunks of at most `chunk` rows."""
        if self.text is not None:
            self._begin_fed(self.text, rows, num_fixed, chunk)
            return
        borders = _borders(len(rows), num_fixed, chunk)
        self.length = self._kept = self._num_unchanged(rows, borders)
        self.rows, self.num_fixed, self._borders = rows, num_fixed, borders

    def skip_fixed(self) -> None:
        """Note that what is fixed of the prompt is in the cache."""
        self.length = self._kept = self.num_fixed

    def _begin_fed(self, text: FedText, rows: Rows, num_fixed: int, chunk: int) -> None:
        is_retry = rows is self._prompt
        self._note_read(text)
        shared = min(len(rows), self.length)
        same = (rows[:shared] == self.rows[:shared]).all(axis=1)
        self.length = shared if same.all() else int(same.argmin())
        self.rows = self._prompt = rows
        self.num_fixed, self.is_fresh = num_fixed, False
        self._borders = _borders(len(rows), num_fixed, chunk)
        text.begin(is_retry)

    def _note_read(self, text: FedText) -> None:
        """Take the rows that were read since the prompt as part of it."""
        self.rows = np.concatenate([self.rows, text.read])[: self.length]
        self.length = len(self.rows)  # steps without a prompt, of a warm-up, leave nothing to be trusted

    def open_text(self, chunk: int) -> None:
        """Add the first text to the prompt, if it is there."""
        if self.text is None or self.text.is_opened or not self.text.is_ready:
            return
        before = len(self.rows)
        self.rows = np.concatenate([self.rows, self.text.open()])
        # The text joins the prompt's last chunk, if that has not been run and has room for it.
        kept = [
            border for border in self._borders if border < before or before in (self.length, self.num_fixed)
        ]
        start = max([border for border in kept if border <= before], default=0)
        self._borders = *kept, *range(start + chunk, len(self.rows), chunk), len(self.rows)

    @property
    def is_run(self) -> bool:
        """Whether all that is there of the prompt is in the cache."""
        return self.length >= len(self.rows)

    @property
    def is_fed(self) -> bool:
        """Whether it needs no text before its next step."""
        return self.text is None or self.text.is_ready

    @property
    def next_border(self) -> int:
        """Where the next chunk ends."""
        return next(border for border in self._borders if border > self.length)

    def ran(self) -> bool:
        """Note that the next chunk was run; return whether it was the last one."""
        self.length = self.next_border
        if self.length < len(self.rows):
            return False
        if self.text is not None and not self.text.is_opened:
            return True
        self._kept, self.is_fresh = self.length, True
        return True

    def _num_unchanged(self, rows: Rows, borders: tuple[int, ...]) -> int:
        """Return how many rows at the start are in the cache already, in whole chunks."""
        shared = min(len(rows) - 1, self._kept)  # the last row's hidden state is always needed
        same = (rows[:shared] == self.rows[:shared]).all(axis=1)
        count = shared if same.all() else int(same.argmin())
        common = {*borders} & {*self._borders}
        return max((border for border in common if border <= count), default=0)


def _borders(length: int, num_fixed: int, chunk: int) -> tuple[int, ...]:
    """Return where chunks end: in steps from the start, at the end of what is fixed, in steps from it."""
    fixed = min(num_fixed, length)
    before, behind = range(chunk, fixed, chunk), range(fixed, length, chunk)
    return *before, *(border for border in behind if border), length
