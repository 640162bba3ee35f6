from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from moss_stream.adapters.pcm_queue import PcmQueue, SlotClock

RATE = 1000  # a fade is 5 samples


def queue(preroll_s: float = 0.0) -> PcmQueue:
    return PcmQueue(RATE, preroll_s)


def speech(count: int) -> np.ndarray[tuple[int], np.dtype[np.int16]]:
    return np.full(count, 1000, dtype=np.int16)


def test_without_speech_there_is_silence() -> None:
    """Nothing queued is silence, and no underrun."""
    made = queue()
    assert not made.take(20).any() and made.underruns == 0 and made.played == 0


def test_speech_waits_for_its_preroll() -> None:
    """It begins when enough is there, or when the utterance is complete."""
    made = queue(0.03)
    made.put(speech(20))
    assert not made.take(10).any()
    made.put(speech(20))
    assert made.take(10)[-1] == 1000 and made.queued == 30
    short = queue(0.03)
    short.put(speech(10))
    short.end()
    assert short.take(20).any()


def test_edges_are_faded() -> None:
    """Speech rises over 5 ms and falls over 5 ms; between, every sample is as it was."""
    made = queue()
    made.put(speech(30))
    made.end()
    blocks = [made.take(20), made.take(20)]
    heard = np.concatenate(blocks)[:30]
    assert heard[0] == heard[-1] == 0 and (heard[5:25] == 1000).all()
    assert (np.diff(heard[:5]) > 0).all() and (np.diff(heard[-5:]) < 0).all()
    assert made.underruns == 0 and made.played == 30


def test_to_run_dry_inside_an_utterance_is_an_underrun() -> None:
    """It is counted, what was there is faded out, and speech begins again with its pre-roll."""
    made = queue(0.02)
    made.put(speech(30))
    made.take(20)
    block = made.take(20)
    assert made.underruns == 1 and block[9] == 0 and not block[10:].any()
    made.put(speech(10))
    assert not made.take(20).any() and made.underruns == 1
    made.put(speech(10))
    assert made.take(10)[-1] == 1000


def test_clearing_leaves_a_fade_and_then_silence() -> None:
    """What is dropped is counted; what was not being heard leaves nothing."""
    made = queue()
    made.put(speech(100))
    made.take(20)
    assert made.clear() == 80
    block = made.take(20)
    assert block[0] == 1000 and block[4] == 0 and not block[5:].any() and not made.take(20).any()
    assert made.played == 20 and made.underruns == 0
    waiting = queue(1.0)
    waiting.put(speech(10))
    waiting.clear()
    assert not waiting.take(20).any()
    made.put(speech(20))
    assert made.take(20).any(), "the next utterance is heard"


@given(st.lists(st.tuples(st.integers(0, 50), st.integers(1, 50)), max_size=20))
def test_no_sample_is_lost(moves: list[tuple[int, int]]) -> None:
    """However much is put and taken, what was played and what waits is what was put."""
    made, put = queue(), 0
    for more, count in moves:
        made.put(speech(more))
        put += more
        assert len(made.take(count)) == count
        assert made.played + made.queued == put


def test_slots_come_one_after_the_other() -> None:
    """Each is due at its time; somewhat late is caught up."""
    clock = SlotClock(0.02)
    assert clock.next(5.0) == (0, 0.0)
    assert clock.next(5.0) == (1, pytest.approx(0.02))
    assert clock.next(5.05) == (2, 0.0)
    assert clock.next(5.05) == (3, pytest.approx(0.01)) and clock.skipped == 0


def test_after_a_stall_slots_are_skipped() -> None:
    """Half a second late is one skip, not a burst."""
    clock = SlotClock(0.02)
    clock.next(5.0)
    slot, wait_s = clock.next(5.52)
    assert slot == 26 and wait_s == pytest.approx(0.0, abs=1e-9) and clock.skipped == 25
    assert clock.next(5.52) == (27, pytest.approx(0.02))
