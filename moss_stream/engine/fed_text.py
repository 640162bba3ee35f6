"""The text of a stream whose model reads while it speaks: tokens that wait, and rows that were read."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from moss_stream.families.network import TextFeed
from moss_stream.text.message import Rows

__all__ = ["FedText"]


class FedText:
    """Gives every row its token.

    Args:
        feed: Of the network.
        num_codebooks: Nq.
    """

    def __init__(self, feed: TextFeed, num_codebooks: int) -> None:
        self._feed = feed
        self._num_codebooks = num_codebooks
        self._tokens: deque[int] = deque()
        self._is_over = False
        self._taken: list[int] = []
        self._last: npt.NDArray[np.int64] | None = None
        self._read: list[Rows] = []

    def clear(self) -> None:
        """Start another stream."""
        self._tokens.clear()
        self._is_over = False
        self._taken, self._read, self._last = [], [], None

    def begin(self, is_retry: bool) -> None:
        """Begin to speak, after a prompt; tokens that were not read are read now.

        Args:
            is_retry: The prompt is the one before, after which the model spoke nothing: it reads all of
                its text again.
        """
        if is_retry:
            self._tokens.extendleft(reversed(self._taken))
        elif not self._tokens:
            self._is_over = False
        self._taken, self._read, self._last = [], [], None

    def give(self, tokens: Sequence[int], is_last: bool) -> None:
        """Take tokens; the last ones are followed by pads."""
        self._tokens.extend(tokens)
        self._is_over = self._is_over or is_last

    @property
    def num_unread(self) -> int:
        """Tokens that wait."""
        return len(self._tokens)

    @property
    def read(self) -> Rows:
        """The rows [T, 1 + Nq] that followed the prompt and its opening into the cache."""
        return np.stack(self._read) if self._read else np.empty((0, 1 + self._num_codebooks), np.int64)

    @property
    def is_opened(self) -> bool:
        """Whether the rows before the first frame were taken."""
        return bool(self._taken)

    @property
    def is_ready(self) -> bool:
        """Whether there is what the next step reads: the opening, or a token."""
        if self.is_opened:
            return self._last is None or bool(self._tokens) or self._is_over
        return len(self._tokens) >= (1 if self._is_over else self._feed.opening)

    def open(self) -> Rows:
        """Take the rows [T, 1 + Nq] before the first frame: text, and a mark that audio begins."""
        count = min(self._feed.opening, len(self._tokens))
        self._taken = [self._tokens.popleft() for _ in range(count)]
        rows = np.full((count, 1 + self._num_codebooks), self._feed.pad_code, dtype=np.int64)
        rows[:, 0] = self._taken
        rows[-1, 1] = self._feed.bos_code
        return rows

    @property
    def next_id(self) -> int:
        """The text id of the row that is read next."""
        return self._tokens[0] if self._tokens else self._feed.pad_id

    def stepped(self) -> None:
        """Note that a step read the row of the last frame, if there was one."""
        if self._last is None:
            return
        self._read.append(np.concatenate([[self.next_id], self._last]))
        if self._tokens:
            self._taken.append(self._tokens.popleft())

    def made(self, codes: npt.NDArray[np.int64]) -> None:
        """Note the frame [Nq] that the step made."""
        self._last = codes
