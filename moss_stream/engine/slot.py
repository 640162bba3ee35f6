"""What the host knows of a stream's context: its prompt, and how much of it is in the cache."""

from __future__ import annotations

from dataclasses import dataclass

from moss_stream.text.message import Rows

__all__ = ["Slot"]


@dataclass(slots=True)
class Slot:
    """One stream.

    A prompt is run in chunks with fixed borders, one of them where its text begins. Chunks whose rows are
    those of the last prompt are kept; what may have been overwritten is not trusted.
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
    _kept: int = 0
    """Rows of the prompt that can be trusted when the next one comes."""
    _borders: tuple[int, ...] = ()
    """Where the chunks of the prompt end."""

    def open(self, n_vq: int) -> None:
        """Start another stream; what the one before left can be used if it had as many codebooks."""
        if n_vq != self.n_vq:  # rows embed only the codebooks in use
            self.forget()
        self.n_vq, self.is_fresh = n_vq, False

    def forget(self) -> None:
        """Trust nothing that is in the cache."""
        self._kept = 0

    def begin(self, rows: Rows, num_fixed: int, chunk: int) -> None:
        """Take a prompt, to be run in chunks of at most `chunk` rows."""
        borders = _borders(len(rows), num_fixed, chunk)
        self.length = self._kept = self._num_unchanged(rows, borders)
        self.rows, self.num_fixed, self._borders = rows, num_fixed, borders

    def skip_fixed(self) -> None:
        """Note that what is fixed of the prompt is in the cache."""
        self.length = self._kept = self.num_fixed

    @property
    def next_border(self) -> int:
        """Where the next chunk ends."""
        return next(border for border in self._borders if border > self.length)

    def ran(self) -> bool:
        """Note that the next chunk was run; return whether it was the last one."""
        self.length = self.next_border
        if self.length < len(self.rows):
            return False
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
