from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from limits import HANG_S

from moss_stream import StreamError, SynthesizerClosed
from moss_stream.sync.loop_thread import LoopThread


@pytest.fixture
def loop() -> Iterator[LoopThread]:
    made = LoopThread()
    yield made
    made.close()


async def where() -> str:
    return threading.current_thread().name


async def for_ever() -> None:
    await asyncio.Event().wait()


def test_coroutines_run_on_its_thread(loop: LoopThread) -> None:
    """Whoever calls gets the result, or the error."""

    async def fails() -> None:
        raise ValueError("no")

    assert loop.call(where()) == "moss-stream-loop"
    with pytest.raises(ValueError, match="no"):
        loop.call(fails())


def test_several_threads_wait_at_the_same_time(loop: LoopThread) -> None:
    """None holds up another one."""
    barrier = asyncio.Barrier(4)

    async def meet() -> int:
        return await barrier.wait()

    with ThreadPoolExecutor(4) as pool:
        waiting = [pool.submit(loop.call, meet()) for _ in range(4)]
        assert sorted(each.result(HANG_S) for each in waiting) == [0, 1, 2, 3]


def test_a_call_from_its_own_thread_is_refused(loop: LoopThread) -> None:
    """It would wait for itself."""

    async def calls_again() -> str:
        return loop.call(where())

    with pytest.raises(StreamError, match="plain generator"):
        loop.call(calls_again())


def test_cleaning_up_works_on_any_thread(loop: LoopThread) -> None:
    """On the loop's own, where it cannot wait, too."""
    done = threading.Event()

    async def clean() -> None:
        done.set()

    async def from_the_loop() -> None:
        loop.clean_up(clean())

    loop.clean_up(clean())
    assert done.is_set()
    done.clear()
    loop.call(from_the_loop())
    assert done.wait(HANG_S)


def test_closing_ends_what_waits(loop: LoopThread) -> None:
    """With an error that says so; later calls get the same one."""
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(loop.call, for_ever())
        loop.call(asyncio.sleep(0))
        loop.close()
        with pytest.raises(SynthesizerClosed):
            waiting.result(HANG_S)
    with pytest.raises(SynthesizerClosed, match=r"sync\.load"):
        loop.call(where())
    loop.clean_up(for_ever())
    loop.close()
