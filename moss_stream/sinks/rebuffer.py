"""When a player pauses to collect audio, and when it goes on. No clock: time is counted in samples.

A machine that needs r seconds for a second of speech (RTF r > 1) cannot keep a player busy. Played as they
come, all frames have gaps between them. So the player collects, plays for a while without a gap, and pauses
again where a pause is least noticed. With `left_s` of audio still to come, playback is continuous once
(r - 1) * left_s is in hand; of the whole that remains, what is in hand included, that is the share 1 - 1/r.
"""

from __future__ import annotations

import numpy as np

from moss_stream.audio import FRAME_S, AudioChunk

__all__ = ["Rebuffer"]

LEAST_S = 3 * FRAME_S
"""Collected after a pause even if estimates ask for less: they may be wrong, and three frames are a word."""
MOST_S = 1.5
"""Collected at most, so that a long text does not begin with a long silence. It has to stay below
`EngineOptions.max_lead_ms`, at which the engine makes no more before it is played."""
LOW_S = 0.4
"""With less in hand than this the next good place is taken to pause: about a word of ordinary speech."""
SPARE_S = 0.8
"""Added to what is still to come before it is played: that is estimated from letters, and a sentence of eight
seconds may be a tenth longer. What is in hand then stays above what makes it pause."""
STALLED_S = 1.0
"""When nothing has come for so long, the text has paused, and what is in hand is played. A prompt between two
frames takes less, and nobody should wait longer for audio that is there."""

WINDOW_S = 0.01
"""Loudness of 10 ms tells a gap between words from a plosive's closure."""
QUIET_WINDOWS = 3
"""Silence of 30 ms; in a plosive it is rarely longer."""
QUIET_PEAK = 400
"""Of int16 (-38 dB): below it a synthetic voice is silent, noise of the codec included."""


class Rebuffer:
    """Decides for one player, whose device takes blocks of samples (of all channels, counted as one).

    One thread may tell it what comes (`expect`, `end`) while another one plays (`playable`).

    Args:
        rate: Samples a second.
        preroll_s: Audio that must be in hand before any is played, on a fast machine too.
    """

    def __init__(self, rate: int, preroll_s: float = 0.0) -> None:
        self.rate = rate
        self.underruns = 0
        """How often speech paused before its end."""
        self._preroll_s = preroll_s
        self._rtf = self._left_s = 0.0
        self._silent = 0
        self._is_playing = self._has_paused = False
        self._has_ended = True

    @property
    def is_playing(self) -> bool:
        """Whether the last block had speech up to its end."""
        return self._is_playing

    @property
    def room_s(self) -> float:
        """Audio that a player must be able to hold, whatever its usual bound."""
        return MOST_S + LOW_S if self._rtf > 1.0 else 0.0

    def expect(self, chunk: AudioChunk) -> list[int]:
        """Note a chunk; return the sample in it where a pause would be noticed least."""
        if chunk.is_final or chunk.is_flush:
            self.end()
        if not chunk.pcm:
            return []
        self._rtf, self._left_s = chunk.rtf, chunk.left_s
        self._silent = 0
        self._has_ended = False
        return _places(chunk) if chunk.rtf > 1.0 else []

    def end(self) -> None:
        """Note that all audio has arrived: it plays to its end, and running dry is not an underrun."""
        self._has_ended = True
        self._has_paused = False

    def reset(self) -> None:
        """Note that all audio was dropped."""
        self.end()
        self._is_playing = False

    def playable(self, queued: int, count: int, place: int | None = None) -> int:
        """Return how many samples of the next block are speech; the others are silence.

        Args:
            queued: Samples in hand.
            count: Of the block.
            place: After how many samples a pause would be least noticed; None if there is no such place.
        """
        is_start = not self._is_playing
        if is_start and not self._may_start(queued):
            self._silent += count
            return 0
        self._is_playing = True
        played = min(queued, count)
        # Whoever starts at a place has just paused there.
        if place is not None and is_start <= place <= played and self._should_pause(queued):
            played = place
            self._pause(count - played)
        elif played < count or (self._has_ended and played == queued):
            self._pause(count - played)
        return played

    def _may_start(self, queued: int) -> bool:
        if queued == 0 or self._has_ended:
            return queued > 0
        if self._is_stalled:
            return True
        return queued >= self.rate * max(self._preroll_s, self._wanted_s)

    @property
    def _wanted_s(self) -> float:
        """What has to be in hand to go on."""
        if self._rtf <= 1.0:
            return 0.0
        least_s = LEAST_S if self._has_paused else 0.0
        return min(MOST_S, max(least_s, self._missing_s(self._left_s + SPARE_S)))

    def _missing_s(self, left_s: float) -> float:
        """What has to be in hand so that it lasts until the rest has come."""
        return (self._rtf - 1.0) * left_s

    @property
    def _is_stalled(self) -> bool:
        return self._silent >= STALLED_S * self.rate

    def _should_pause(self, queued: int) -> bool:
        if self._has_ended or self._is_stalled:
            return False
        return queued < LOW_S * self.rate and queued < self._missing_s(self._left_s) * self.rate

    def _pause(self, silent: int) -> None:
        self._is_playing = False
        self._silent += silent
        if not self._has_ended:
            self._has_paused = True
            self.underruns += 1


def _places(chunk: AudioChunk) -> list[int]:
    """Return the middles of its silences; if it has none and a word begins in it, its softest moment."""
    window = int(WINDOW_S * chunk.sample_rate)
    count = len(chunk.samples) // window
    if not count:
        return []
    samples = chunk.samples[: count * window].astype(np.int32)
    peaks = np.abs(samples).reshape(count, -1).max(axis=1)
    found = [(first + last) * window // 2 for first, last in _runs(peaks < QUIET_PEAK)]
    if not found and chunk.begins_word:
        found = [int(peaks.argmin()) * window]
    return found


def _runs(is_quiet: np.ndarray[tuple[int], np.dtype[np.bool_]]) -> list[tuple[int, int]]:
    """Return the first window and the one after the last of every silence that is long enough."""
    edges = np.flatnonzero(np.diff(np.concatenate(([0], is_quiet.astype(np.int8), [0]))))
    runs = [(int(first), int(last)) for first, last in edges.reshape(-1, 2)]
    return [(first, last) for first, last in runs if last - first >= QUIET_WINDOWS]
