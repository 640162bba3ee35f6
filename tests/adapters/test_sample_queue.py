from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from moss_stream.adapters.sample_queue import SampleQueue

from moss_stream import Rebuffer


def pcm(*values: int) -> bytes:
    return np.array(values, dtype="<i2").tobytes()


def pull(queue: SampleQueue, samples: int) -> list[int]:
    out = bytearray(b"\xaa" * (2 * samples))
    queue.fill(memoryview(out))
    return memoryview(out).cast("h").tolist()


def quiet() -> None:
    """Nobody waits."""


def test_samples_come_out_once_in_order() -> None:
    """However the blocks are cut, every sample comes once, and then silence."""
    queue = SampleQueue(Rebuffer(24_000), 0, quiet)
    queue.put(pcm(1, 2, 3))
    queue.put(b"")
    queue.put(pcm(4, 5))
    assert queue.queued == 5
    assert [pull(queue, size) for size in (2, 2, 3)] == [[1, 2], [3, 4], [5, 0, 0]]
    assert queue.taken == 5 and queue.queued == 0


def test_it_wakes_when_it_falls_low_and_when_it_is_empty() -> None:
    """Whoever waits hears of it twice, not with every block."""
    woken: list[int] = []
    queue: SampleQueue = SampleQueue(Rebuffer(24_000), 2, lambda: woken.append(queue.queued))
    queue.put(pcm(*range(1, 7)))
    for _ in range(8):
        pull(queue, 1)
    assert woken == [2, 0]


def test_clear_fades_what_is_being_heard() -> None:
    """A cut in the middle of a sound would click; 5 ms of it are left, falling to nothing."""
    queue = SampleQueue(Rebuffer(1000), 0, quiet)
    queue.put(pcm(*[1000] * 20))
    pull(queue, 2)
    assert queue.clear() == 18
    assert pull(queue, 7) == [1000, 750, 500, 250, 0, 0, 0]
    queue.put(pcm(*[1000] * 20))
    assert queue.queued == 20


def test_clear_of_what_was_never_heard_is_silent() -> None:
    """Nothing has begun to sound, so nothing is faded."""
    queue = SampleQueue(Rebuffer(1000), 0, quiet)
    queue.put(pcm(*[1000] * 20))
    assert queue.clear() == 20 and pull(queue, 3) == [0, 0, 0]


@pytest.mark.parametrize("is_cleared", [True, False])
def test_a_block_under_way_stays_with_what_was_before(is_cleared: bool) -> None:
    """A block that the device takes meanwhile neither comes back nor is counted as new speech."""
    queue = SampleQueue(Rebuffer(24_000), 0, quiet)
    queue.put(pcm(*[1] * 100))

    class Block(bytearray):
        """Clears the queue while it is filled, as another thread does."""

        def __setitem__(self, where: Any, value: Any) -> None:
            if any(value):
                queue.clear() if is_cleared else queue.rest()
            super().__setitem__(where, value)

    queue.fill(Block(80))
    queue.put(pcm(*[2] * 50))
    assert queue.queued == 50 and queue.taken == 40
    assert pull(queue, 51) == [2] * 50 + [0]
    assert queue.taken == 90


def test_what_the_device_holds_is_not_heard_yet() -> None:
    """It plays each block later; silence pushes speech out of it."""
    queue = SampleQueue(Rebuffer(1000), 0, quiet)
    queue.put(pcm(*[1] * 30))
    pull(queue, 10)
    assert queue.unheard(50) == 10
    pull(queue, 20)
    assert queue.unheard(25) == 25
    pull(queue, 15)
    assert queue.unheard(25) == 10
    pull(queue, 15)
    assert queue.unheard(25) == 0
    queue.put(pcm(*[1] * 9))
    pull(queue, 5)
    assert queue.unheard(25) == 5
    block = bytearray(b"\xaa" * 46)
    queue.silence(block)
    assert not any(block) and queue.unheard(25) == 2 and queue.queued == 4
