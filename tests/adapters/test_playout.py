from __future__ import annotations

from moss_stream.adapters.playout import Playout


class Clock:
    """Seconds that the test sets."""

    now_s = 100.0

    def __call__(self) -> float:
        return self.now_s


def test_what_was_handed_over_is_played_in_real_time() -> None:
    """From the first piece on; what it has run out of is not played."""
    clock = Clock()
    part = Playout(clock).begin()
    clock.now_s = 105.0
    assert part.position_s == 0.0
    part.sent(1.0)
    clock.now_s = 105.25
    assert part.position_s == 0.25
    clock.now_s = 110.0
    assert part.position_s == 1.0
    part.sent(1.0)
    clock.now_s = 110.5
    assert part.position_s == 1.5


def test_utterances_are_played_one_after_another() -> None:
    """Unless the first one is dropped."""
    clock = Clock()
    playout = Playout(clock)
    first, second = playout.begin(), playout.begin()
    first.sent(2.0)
    second.sent(1.0)
    clock.now_s = 101.0
    assert (first.position_s, second.position_s) == (1.0, 0.0)
    clock.now_s = 102.5
    assert (first.position_s, second.position_s) == (2.0, 0.5)
    first.end()
    assert first.is_over and not second.is_over
    playout.drop(second)
    third = playout.begin()
    third.sent(1.0)
    clock.now_s = 103.0
    assert third.position_s == 0.5
