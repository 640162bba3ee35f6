from __future__ import annotations

import numpy as np
import pytest

from moss_stream import AudioChunk, Rebuffer

RATE = 1000
BLOCK = 10
WINDOW = 10


def chunk(samples: int = 80, rtf: float = 0.0, left_s: float = 0.0) -> AudioChunk:
    return AudioChunk(b"\0\0" * samples, RATE, 0, 0.0, samples / RATE, rtf=rtf, left_s=left_s)


class Player:
    """Plays what is put; `gaps` are the lengths of its pauses, in samples."""

    def __init__(self, preroll_s: float = 0.0) -> None:
        self.rebuffer = Rebuffer(RATE, preroll_s)
        self.queued = 0
        self.history: list[int] = []

    def put(self, rtf: float, left_s: float = 0.0, samples: int = 80) -> None:
        self.rebuffer.expect(chunk(samples, rtf, left_s))
        self.queued += samples

    def play(self, samples: int, place: int | None = None) -> int:
        """Let some time pass; return how much of it was speech."""
        before = self.queued
        for at in range(0, samples, BLOCK):
            near = None if place is None else place - at
            played = self.rebuffer.playable(self.queued, BLOCK, near if near and near >= 0 else None)
            self.queued -= played
        return before - self.queued


@pytest.mark.parametrize("rtf", [0.0, 0.5, 1.0])
def test_in_real_time_every_frame_is_played_at_once(rtf: float) -> None:
    """However long the text, the first one and each one after a stall of the text."""
    player = Player()
    for _ in range(3):
        player.put(rtf, left_s=60.0)
        assert player.play(3000) == 80
    assert player.rebuffer.underruns == 3


def test_the_start_waits_for_what_will_run_short() -> None:
    """At RTF 1.1 a tenth of what is still to come has to be in hand, and of 0.8 s more that it may take."""
    player = Player()
    for number, left_s in enumerate((1.6, 1.52, 1.44)):
        player.put(1.1, left_s)
        assert player.play(BLOCK) == (BLOCK if number == 2 else 0)
    short = Player()
    short.put(1.05, left_s=0.0)
    assert short.play(BLOCK) == BLOCK, "little is missing: it is played at once"


def test_a_long_text_does_not_begin_with_a_long_silence() -> None:
    """However much would be needed, 1.5 s are enough."""
    player = Player()
    player.put(3.0, left_s=600.0, samples=1490)
    assert player.play(BLOCK) == 0
    player.put(3.0, left_s=600.0, samples=10)
    assert player.play(BLOCK) == BLOCK


def test_after_a_pause_some_frames_are_collected() -> None:
    """Also where the estimate says that nothing is left: it is wrong, since more came."""
    player = Player()
    player.put(1.05)
    assert player.play(100) == 80 and player.rebuffer.underruns == 1
    for _ in range(2):
        player.put(1.05)
        assert player.play(100) == 0
    player.put(1.05)
    assert player.play(BLOCK) == BLOCK


def test_what_is_complete_is_played() -> None:
    """The end of an utterance, or of what was flushed, waits for nothing and is no underrun."""
    for is_final in (True, False):
        player = Player()
        player.put(2.0, left_s=9.0)
        assert player.play(100) == 0
        player.rebuffer.expect(AudioChunk(b"", RATE, 1, 0.08, 0.0, is_final, is_flush=not is_final))
        assert player.play(100) == 80 and player.rebuffer.underruns == 0


def test_a_text_that_pauses_holds_nothing_back() -> None:
    """On a slow machine too: after a second without audio, what is in hand is heard to its end."""
    player = Player()
    player.put(2.0, left_s=9.0)
    assert player.play(1000) == 0 and player.play(BLOCK, place=5) == BLOCK
    assert player.play(100) == 70 and player.rebuffer.underruns == 1


def test_it_pauses_at_a_place_when_little_is_left() -> None:
    """With less than 0.4 s in hand, and not enough to reach the end, the next place is taken, once."""
    player = Player()
    player.put(1.5, left_s=3.0, samples=1500)
    assert player.play(1000, place=955) == 1000, "there is enough: no reason to pause"
    assert player.play(200, place=155) == 155 and player.rebuffer.underruns == 1
    for left_s in (2.0, 1.6):
        player.put(1.5, left_s, samples=200)
        assert player.play(50) == 0
    player.put(1.5, 1.2, samples=300)
    assert player.rebuffer.playable(player.queued, BLOCK, 0) == BLOCK, "it does not pause there again"


def test_near_the_end_it_does_not_pause() -> None:
    """What is in hand is enough: no place is taken."""
    player = Player()
    player.put(1.5, left_s=0.2, samples=600)
    assert player.play(400, place=350) == 400 and player.rebuffer.underruns == 0


def test_a_preroll_is_kept_at_any_speed() -> None:
    """A call begins when it is there."""
    player = Player(preroll_s=0.16)
    player.put(0.5)
    assert player.play(BLOCK) == 0
    player.put(0.5)
    assert player.play(BLOCK) == BLOCK


def test_a_reset_begins_anew() -> None:
    """After an interruption the next utterance is no continuation: it need not collect three frames."""
    player = Player()
    player.put(1.05)
    player.play(100)
    player.rebuffer.reset()
    player.put(1.05)
    assert player.play(BLOCK) == BLOCK


def sound(*peaks: int, begins_word: bool = False, rtf: float = 1.5) -> AudioChunk:
    """A chunk of windows with these peaks."""
    samples = np.repeat(np.array(peaks, dtype="<i2"), WINDOW)
    return AudioChunk(samples.tobytes(), RATE, 0, 0.0, len(samples) / RATE, begins_word=begins_word, rtf=rtf)


@pytest.mark.parametrize(
    ("given", "places"),
    [
        (sound(9000, 50, 60, 70, 9000, 9000), [25]),  # the middle of a silence
        (sound(50, 60, 70, 9000, 9000, -50, -60, -70, -80), [15, 70]),
        (sound(9000, 50, 60, 9000), []),  # too short: a plosive
        (sound(9000, 8000, 7000, 7000, begins_word=True), [20]),  # the softest moment near a word's beginning
        (sound(9000, 8000, 7000, 7000), []),
        (sound(50, 60, 70, 9000, begins_word=True), [15]),
        (sound(50, 60, 70, 9000, rtf=0.9), []),  # nobody needs to know
        (sound(begins_word=True), []),
        (sound(-32_768, 20_000, begins_word=True), [10]),
    ],
)
def test_places_where_a_pause_is_little_noticed(given: AudioChunk, places: list[int]) -> None:
    """Silences of 30 ms; failing these, where a word begins."""
    assert Rebuffer(RATE).expect(given) == places
