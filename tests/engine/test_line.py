from __future__ import annotations

import pytest
from fakes import FakeEngine
from virtual_time import Lab, Listener

from moss_stream.engine.line import MAX_RETRY_S, MIN_RETRY_S, retry_after_s
from moss_stream.errors import Overloaded

SENTENCE = "This is a sentence of average length. "


def done(*listeners: Listener) -> bool:
    return all(listener.is_done for listener in listeners)


async def test_who_waits_too_long_is_sent_away() -> None:
    """A stream waits for its slot as long as it may, not longer, and learns when to try again."""
    lab = Lab(FakeEngine(max_streams=1, frames_per_segment=200), max_queue_s=2.0)
    first = lab.speak(SENTENCE * 10)
    await lab.run(0.5)
    second, asked_s = lab.speak(SENTENCE), lab.now_s
    await lab.run(10, lambda: done(second))
    assert isinstance(second.error, Overloaded) and second.chunks == []
    assert 2.0 <= lab.now_s - asked_s < 2.2
    assert MIN_RETRY_S <= second.error.retry_after_s <= MAX_RETRY_S and "max_queue_s" in str(second.error)
    await lab.run(60, lambda: done(first))
    assert first.error is None


async def test_who_gets_a_slot_in_time_is_spoken() -> None:
    """The limit counts the wait, not the speech."""
    lab = Lab(FakeEngine(max_streams=1, frames_per_segment=10), max_queue_s=2.0)
    listeners = [lab.speak(SENTENCE), lab.speak(SENTENCE)]
    await lab.run(60, lambda: done(*listeners))
    assert [listener.error for listener in listeners] == [None, None]


async def test_the_longer_the_others_speak_the_later_one_should_come_back() -> None:
    """The hint follows from what is left to say."""
    hints = []
    for sentences in (1, 4):
        lab = Lab(FakeEngine(max_streams=1, frames_per_segment=60), max_queue=0)
        lab.speak(SENTENCE * sentences)
        await lab.run(0.2)
        late = lab.speak(SENTENCE)
        await lab.run(2, lambda late=late: done(late))  # type: ignore[misc]
        assert isinstance(late.error, Overloaded)
        hints.append(late.error.retry_after_s)
    assert hints[0] < hints[1]


@pytest.mark.parametrize(
    ("place", "busy_s", "wanted"),
    [(0, [], MIN_RETRY_S), (0, [9.0, 4.0], 4.0), (1, [9.0, 4.0], 9.0), (2, [9.0, 4.0], 13.0)],
)
def test_the_hint_counts_who_is_in_front(place: int, busy_s: list[float], wanted: float) -> None:
    """Slots become free one after the other, and those in front take them first."""
    assert retry_after_s(place, busy_s) == wanted
    assert retry_after_s(10**6, [1.0]) == MAX_RETRY_S
