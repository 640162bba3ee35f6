from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from moss_stream.adapters.pcm_queue import PacketClock, PcmQueue

from moss_stream import AudioChunk, Rebuffer

RATE = 1000  # a fade is 5 samples


class Player:
    """A queue, told of all that is put into it."""

    def __init__(self, preroll_s: float = 0.0) -> None:
        self.rebuffer = Rebuffer(RATE, preroll_s)
        self.queue = PcmQueue(self.rebuffer)

    def put(self, count: int) -> None:
        samples = speech(count)
        self.rebuffer.expect(AudioChunk(samples.tobytes(), RATE, 0, 0.0, count / RATE))
        self.queue.put(samples)


def speech(count: int) -> np.ndarray[tuple[int], np.dtype[np.int16]]:
    return np.full(count, 1000, dtype=np.int16)


def test_without_speech_there_is_silence() -> None:
    """Nothing queued is silence, and no underrun."""
    made = Player()
    assert not made.queue.take(20).any() and made.rebuffer.underruns == 0 and made.queue.played == 0


def test_speech_waits_for_its_preroll() -> None:
    """It begins when enough is there, or when the utterance is complete."""
    made = Player(0.03)
    made.put(20)
    assert not made.queue.take(10).any()
    made.put(20)
    assert made.queue.take(10)[-1] == 1000 and made.queue.queued == 30
    short = Player(0.03)
    short.put(10)
    short.rebuffer.end()
    assert short.queue.take(20).any()


def test_edges_are_faded() -> None:
    """Speech rises over 5 ms and falls over 5 ms; between, every sample is as it was."""
    made = Player()
    made.put(30)
    made.rebuffer.end()
    blocks = [made.queue.take(20), made.queue.take(20)]
    heard = np.concatenate(blocks)[:30]
    assert heard[0] == heard[-1] == 0 and (heard[5:25] == 1000).all()
    assert (np.diff(heard[:5]) > 0).all() and (np.diff(heard[-5:]) < 0).all()
    assert made.rebuffer.underruns == 0 and made.queue.played == 30


def test_to_run_dry_inside_an_utterance_is_an_underrun() -> None:
    """It is counted, what was there is faded out, and speech begins again with its pre-roll."""
    made = Player(0.02)
    made.put(30)
    made.queue.take(20)
    block = made.queue.take(20)
    assert made.rebuffer.underruns == 1 and block[9] == 0 and not block[10:].any()
    made.put(10)
    assert not made.queue.take(20).any() and made.rebuffer.underruns == 1
    made.put(10)
    assert made.queue.take(10)[-1] == 1000


def test_clearing_leaves_a_fade_and_then_silence() -> None:
    """What is dropped is counted; what was not being heard leaves nothing."""
    made = Player()
    made.put(100)
    made.queue.take(20)
    assert made.queue.clear() == 80
    block = made.queue.take(20)
    assert block[0] == 1000 and block[4] == 0 and not block[5:].any() and not made.queue.take(20).any()
    assert made.queue.played == 20 and made.rebuffer.underruns == 0
    waiting = Player(1.0)
    waiting.put(10)
    waiting.queue.clear()
    assert not waiting.queue.take(20).any()
    made.put(20)
    assert made.queue.take(20).any(), "the next utterance is heard"


@given(st.lists(st.tuples(st.integers(0, 50), st.integers(1, 50)), max_size=20))
def test_no_sample_is_lost(moves: list[tuple[int, int]]) -> None:
    """However much is put and taken, what was played and what waits is what was put."""
    made, put = Player(), 0
    for more, count in moves:
        made.put(more)
        put += more
        assert len(made.queue.take(count)) == count
        assert made.queue.played + made.queue.queued == put


def test_packets_come_one_after_the_other() -> None:
    """Each is due at its time; somewhat late is caught up."""
    clock = PacketClock(0.02)
    assert clock.next(5.0) == (0, 0.0)
    assert clock.next(5.0) == (1, pytest.approx(0.02))
    assert clock.next(5.05) == (2, 0.0)
    assert clock.next(5.05) == (3, pytest.approx(0.01)) and clock.skipped == 0


def test_after_a_stall_packets_are_skipped() -> None:
    """Half a second late is one skip, not a burst."""
    clock = PacketClock(0.02)
    clock.next(5.0)
    packet, wait_s = clock.next(5.52)
    assert packet == 26 and wait_s == pytest.approx(0.0, abs=1e-9) and clock.skipped == 25
    assert clock.next(5.52) == (27, pytest.approx(0.02))
