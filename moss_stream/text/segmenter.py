"""From a growing text to the pieces that are spoken one after the other.

What is cut depends on how much audio the listener still has in hand: with plenty, whole sentences sound
best; with little, a clause must do; with none, and a language model that writes no further, the words that
are there. Time and the audio in hand are arguments: nothing here has a clock.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from typing import NamedTuple, Protocol

from moss_stream.text.breaks import Break, Strength, breaks, is_speakable, last_gap, may_stop_at_end
from moss_stream.text.duration import elapsed_s

__all__ = ["LeadSegmenter", "Segmenter", "WholeSegmenter"]

RELAXED_S = 1.2
"""A listener with more audio in hand hears whole sentences: time enough for a prompt and first frames."""
RESERVE_S = 0.2
"""How long before the listener runs dry the next words have to be there."""
MIN_FIRST_S = 0.4
"""Estimated speech of the shortest segment: a word or two, which models speak without stumbling."""
MIN_SENTENCE_S = 1.2
"""The same when there is time: nearly a sentence."""
JOINED_S = 8.0
"""Short sentences are joined into segments of up to this: fewer prompts, and fewer seams."""
MAX_S = 20.0
"""A sentence without a break is cut here: as much as the history holds for the next segment."""
WINDOW = 400
"""Characters that are looked at."""
WORD_S = 0.4
"""How much longer than `max_wait_s` a text pauses before its last word or number counts as whole.

Language models that write 5 tokens a second leave 0.2 s within a word; with the usual 0.3 s a word waits
0.7 s, so that a listener still waits less than a second for it.
"""
PATIENCE_S = 0.7
"""How long a listener who has run dry waits for the clause to end while text keeps coming."""
LONG_WORD = 24
"""Characters without a space after which a listener who has waited does not wait for the word to end: longer
than words that are not made up, shorter than keys and paths."""


class Segmenter(Protocol):
    """Cuts a text that arrives in pieces; the segments joined are the text."""

    @property
    def num_chars(self) -> int:
        """How many characters wait."""

    def feed(self, text: str, now_s: float, since_s: float | None = None) -> None:
        """Take in a piece of text.

        Args:
            text: What is read out.
            now_s: When text came last.
            since_s: When the piece began to wait; None: now.
        """

    def flush(self) -> None:
        """Let what is there be spoken, as if the text ended; it may go on."""

    def whole(self) -> None:
        """Say that all text is there already, though it is handed over in pieces: time decides nothing."""

    def end(self) -> None:
        """Say that no more text comes."""

    def next(self, now_s: float, lead_s: float) -> str | None:
        """Return the next segment, or None: better wait.

        Args:
            now_s: The time, by any clock that `feed` was given too.
            lead_s: How much audio the listener still has in hand.
        """

    def wait_s(self, now_s: float, lead_s: float) -> float | None:
        """Return when to ask `next` again if no text comes: in how many seconds, or None for never."""


class _Need(NamedTuple):
    """How weak a break will do."""

    strength: Strength
    has_stalled: bool = False
    """The text pauses, and the listener is about to run dry."""
    is_urgent: bool = False
    """The listener has waited long enough; text may keep coming."""


class LeadSegmenter:
    """Cuts by playback lead.

    Args:
        max_wait_s: How long a text may pause before its words are spoken without waiting for the clause to
            end, if the listener is about to run dry.
    """

    def __init__(self, max_wait_s: float) -> None:
        self._max_wait_s = max_wait_s
        self._text = ""
        self._flushed = 0
        self._is_given = False
        self._fed_s = self._since_s = 0.0

    @property
    def num_chars(self) -> int:
        """See `Segmenter`."""
        return len(self._text)

    def feed(self, text: str, now_s: float, since_s: float | None = None) -> None:
        """See `Segmenter`."""
        if not text:
            return
        if not is_speakable(self._text):
            self._since_s = now_s if since_s is None else since_s
        self._text += text
        self._fed_s = now_s

    def flush(self) -> None:
        """See `Segmenter`."""
        self._flushed = len(self._text)

    def whole(self) -> None:
        """See `Segmenter`: the same text is always cut alike."""
        self._is_given = True

    def end(self) -> None:
        """See `Segmenter`."""
        self.flush()

    def next(self, now_s: float, lead_s: float) -> str | None:
        """See `Segmenter`."""
        if self._is_given:
            if not self._flushed and len(self._text) <= WINDOW:
                return None  # the next piece is on its way
            lead_s = math.inf  # no sentence has to be waited for, so none is cut
        known = self._flushed or len(self._text)
        window = self._text[: min(known, WINDOW)]
        is_over = bool(self._flushed)
        if not is_over and self._is_whole(now_s, lead_s):
            window, is_over = window.rstrip(), True
        need = self._needed(now_s, lead_s)
        at = self._cut(window, is_over and known <= WINDOW, need, lead_s)
        if not at:
            return None
        segment, self._text = self._text[:at], self._text[at:]
        self._flushed = max(0, self._flushed - at)
        self._since_s = now_s
        return segment

    def wait_s(self, now_s: float, lead_s: float) -> float | None:
        """See `Segmenter`."""
        if self._is_given or not is_speakable(self._text):
            return None
        low_s, paused_s = lead_s - self._low_s, self._fed_s + self._max_wait_s - now_s
        aged_s = max(self._since_s + PATIENCE_S - now_s, lead_s - RESERVE_S)
        waits = (lead_s - RELAXED_S, max(paused_s, low_s), max(paused_s + WORD_S, low_s), aged_s)
        return min((wait for wait in waits if wait > 0), default=None)

    @property
    def _low_s(self) -> float:
        return self._max_wait_s + RESERVE_S

    def _needed(self, now_s: float, lead_s: float) -> _Need:
        if lead_s > RELAXED_S:
            return _Need(Strength.SENTENCE)
        is_urgent = now_s >= self._since_s + PATIENCE_S and lead_s <= RESERVE_S
        has_stalled = now_s >= self._fed_s + self._max_wait_s and lead_s <= self._low_s
        return _Need(Strength.WORD if is_urgent or has_stalled else Strength.CLAUSE, has_stalled, is_urgent)

    def _is_whole(self, now_s: float, lead_s: float) -> bool:
        """Tell whether the text pauses for so long that nothing of it waits for what may come."""
        has_stopped = now_s >= self._fed_s + self._max_wait_s + WORD_S
        return has_stopped and lead_s <= self._low_s and is_speakable(self._text)

    def _cut(self, text: str, is_end: bool, need: _Need, lead_s: float) -> int:
        """Return where the next segment ends; 0 for nowhere yet."""
        ends_s = elapsed_s(text)
        if is_end and ends_s[-1] <= JOINED_S:
            return len(text)
        found = [each for each in breaks(text, is_end, need.is_urgent) if is_speakable(text[: each.at])]
        if is_end:
            found.append(Break(len(text), Strength.SENTENCE))
        elif need.has_stalled and may_stop_at_end(text) and is_speakable(text):
            found.append(Break(len(text), Strength.CLAUSE))
        elif need.is_urgent and (gap := last_gap(text)):
            found.append(Break(gap, Strength.WORD))
        elif need.is_urgent and not found and len(text.strip()) > LONG_WORD:
            found.append(Break(len(text), Strength.WORD))
        shortest_s = MIN_SENTENCE_S if lead_s > RELAXED_S else MIN_FIRST_S
        needed = Strength.WORD if is_end else need.strength
        if needed == Strength.WORD:
            shortest_s = 0.0
        for strength in (Strength.SENTENCE, Strength.CLAUSE, Strength.WORD):
            good = [b.at for b in found if b.strength >= strength and shortest_s <= ends_s[b.at] <= MAX_S]
            if good and strength >= needed:
                return max((at for at in good if ends_s[at] <= JOINED_S), default=good[0])
            if good and ends_s[-1] > MAX_S and strength < Strength.SENTENCE:
                return good[-1]
        is_too_long = ends_s[-1] > MAX_S or len(text) >= WINDOW
        return max(1, bisect_right(ends_s, MAX_S) - 1) if is_too_long else 0


class WholeSegmenter:
    """Keeps the whole text in one segment: a wanted length holds for all of it."""

    def __init__(self) -> None:
        self._pieces: list[str] = []
        self._has_ended = False

    @property
    def num_chars(self) -> int:
        """See `Segmenter`; nothing waits that could be spoken before the end."""
        return 0

    def feed(self, text: str, now_s: float, since_s: float | None = None) -> None:
        """See `Segmenter`."""
        self._pieces.append(text)

    def flush(self) -> None:
        """See `Segmenter`; changes nothing."""

    def whole(self) -> None:
        """See `Segmenter`; changes nothing."""

    def end(self) -> None:
        """See `Segmenter`."""
        self._has_ended = True

    def next(self, now_s: float, lead_s: float) -> str | None:
        """See `Segmenter`."""
        if not self._has_ended or not self._pieces:
            return None
        segment = "".join(self._pieces)
        self._pieces.clear()
        return segment or None

    def wait_s(self, now_s: float, lead_s: float) -> float | None:
        """See `Segmenter`; time changes nothing."""
        return None
