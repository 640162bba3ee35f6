"""From a growing text to its words, as soon as what follows cannot change how they are tokenized."""

from __future__ import annotations

import re

from moss_stream.text.breaks import SPACELESS, is_speakable, may_stop_at_end
from moss_stream.text.segmenter import RESERVE_S, WORD_S

__all__ = ["WordSegmenter"]

# Line breaks belong to the word before them: the tokenizers of this family join them with a full stop.
_WORD = re.compile(r"\s*+\S++[\r\n]*+")
_BEFORE_MARK = re.compile(rf"(?<=[{SPACELESS}])(?=[^\w\s])")
_RUN = re.compile(rf"\s*[^\w\s]*[{SPACELESS}]+")
MAX_RUN, KEPT = 12, 4
"""A run of letters without spaces is cut when it is longer than the one, before as many letters as the other:
words of Chinese and Japanese have one to four, and a model reads twelve tokens before its first frame."""


class WordSegmenter:
    """Implements `moss_stream.text.segmenter.Segmenter` for a model that reads while it speaks.

    A word is whole when a space follows it: tokenizers take the space with the next word, so the tokens of
    the words are those of the text. Scripts without spaces are cut before a mark.

    Args:
        max_wait_s: How long a text may pause before its last word is given to a listener who is about to run
            dry.
    """

    def __init__(self, max_wait_s: float) -> None:
        self._max_wait_s = max_wait_s
        self._text = ""
        self._num_flushed = 0
        self._is_whole = False
        self._fed_s = 0.0

    @property
    def num_chars(self) -> int:
        """See `Segmenter`."""
        return len(self._text)

    def feed(self, text: str, now_s: float, since_s: float | None = None) -> None:
        """See `Segmenter`."""
        if text:
            self._text += text
            self._fed_s = now_s

    def flush(self) -> None:
        """See `Segmenter`."""
        self._num_flushed = len(self._text)

    def whole(self) -> None:
        """See `Segmenter`."""
        self._is_whole = True

    def end(self) -> None:
        """See `Segmenter`."""
        self.flush()

    def next(self, now_s: float, lead_s: float) -> str | None:
        """See `Segmenter`: the next word."""
        at = self._settled() or self._released(now_s, lead_s)
        if not at:
            return None
        word, self._text = self._text[:at], self._text[at:]
        self._num_flushed = max(0, self._num_flushed - at)
        return word

    def wait_s(self, now_s: float, lead_s: float) -> float | None:
        """See `Segmenter`."""
        if self._is_whole:
            return None
        low_s, paused_s = lead_s - self._low_s, self._fed_s + self._max_wait_s - now_s
        waits = (max(paused_s, low_s), max(paused_s + WORD_S, low_s))
        return min((wait for wait in waits if wait > 0), default=None)

    def has_stopped(self, now_s: float, lead_s: float) -> bool:
        """Tell whether no word waits, and none has come for so long that a listener should not wait."""
        if self._is_whole or is_speakable(self._text):
            return False
        return now_s >= self._fed_s + self._max_wait_s + WORD_S and lead_s <= self._low_s

    @property
    def _low_s(self) -> float:
        return self._max_wait_s + RESERVE_S

    def _settled(self) -> int:
        """Return the end of the first word, if it is known; otherwise 0."""
        found = _WORD.match(self._text)
        if found is None:  # white space
            return len(self._text) if len(self._text) <= self._num_flushed else 0
        word = found[0]
        mark = _BEFORE_MARK.search(word)
        if mark:
            return mark.start()
        run = _RUN.match(word)
        if run and len(run[0]) > MAX_RUN:
            return len(run[0]) - KEPT
        if 0 < self._num_flushed < found.end():
            return self._num_flushed
        is_known = found.end() < len(self._text) or found.end() <= self._num_flushed
        return found.end() if is_known else 0

    def _released(self, now_s: float, lead_s: float) -> int:
        """Return the end of a last word that is given since the text pauses; otherwise 0."""
        if self._is_whole or not is_speakable(self._text) or lead_s > self._low_s:
            return 0
        paused_s = now_s - self._fed_s
        if paused_s >= self._max_wait_s + WORD_S:
            return len(self._text)
        return len(self._text) if paused_s >= self._max_wait_s and may_stop_at_end(self._text) else 0
