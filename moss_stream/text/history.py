"""What was spoken recently: the text and the codes that the next segment continues."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

import numpy as np

from moss_stream.audio import FRAME_S
from moss_stream.text.message import Codes
from moss_stream.text.speakers import joined

__all__ = ["History"]

DEFAULT_S = 20.0
"""About three sentences: enough to carry the manner, and 250 rows to prefill."""


@dataclass(slots=True)
class _Said:
    """A segment and the codes of its audio."""

    text: str
    speaker: str = ""
    codes: list[Codes] = field(default_factory=list)


class History:
    """A window of whole segments.

    What is recent is bounded; when it grows over the bound it is cut to half of it, so that the prompt's
    beginning, which the engine keeps, changes seldom.

    Args:
        max_s: Audio that is carried into the next segment; None: 20 s.
    """

    def __init__(self, max_s: float | None) -> None:
        self._max_frames = int((DEFAULT_S if max_s is None else max_s) / FRAME_S)
        self._said: deque[_Said] = deque()

    def begin(self, text: str, speaker: str = "") -> tuple[str, Codes | None]:
        """Start a segment; return the text of the recent ones and of this one, and their codes [T, Nq].

        In a dialogue the text has a tag wherever another speaker begins.
        """
        self._trim()
        frames = [codes for said in self._said for codes in said.codes]
        self._said.append(_Said(text, speaker))
        lines = joined((said.speaker, said.text) for said in self._said)
        return lines.strip(), np.stack(frames) if frames else None

    def remember(self, text: str, speaker: str, codes: Codes) -> None:
        """Take in what was spoken elsewhere, [T, Nq]: what comes next continues it."""
        self._said.append(_Said(text, speaker, list(codes)))
        self.separate()

    def recent(self) -> Codes | None:
        """Return the codes of the segments before the current one, [T, Nq]; None if there are none."""
        frames = [codes for said in list(self._said)[:-1] for codes in said.codes]
        return np.stack(frames) if frames else None

    def add(self, codes: Codes) -> None:
        """Note a frame [Nq] of the current segment."""
        self._said[-1].codes.append(codes)

    def forget(self, num_segments: int) -> None:
        """Take back the newest segments: nobody heard them, or not to their end."""
        for _ in range(min(num_segments, len(self._said))):
            self._said.pop()

    def separate(self) -> None:
        """Say that what comes next is another turn, so that its first word does not stick to the last one."""
        if self._said and not self._said[-1].text[-1:].isspace():
            self._said[-1].text += " "

    def _trim(self) -> None:
        if self._num_frames() > self._max_frames:
            while self._said and self._num_frames() > self._max_frames // 2:
                self._said.popleft()

    def _num_frames(self) -> int:
        return sum(len(said.codes) for said in self._said)
