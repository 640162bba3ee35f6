from __future__ import annotations

import asyncio
import threading

import pytest

from moss_stream.audio import AudioChunk
from moss_stream.engine.channel import Channel
from moss_stream.errors import EngineError


def chunk(index: int) -> AudioChunk:
    return AudioChunk(bytes([index]), 24_000, index, index * 0.08, 0.08)


async def settle() -> None:
    """Let callbacks that were posted to the loop run."""
    for _ in range(3):
        await asyncio.sleep(0)


async def test_chunks_arrive_in_order_from_another_thread() -> None:
    """What a thread puts in, a task gets, and then the end."""
    channel = Channel(10_000, lambda: None)

    def produce() -> None:
        for index in range(50):
            channel.put(chunk(index))
        channel.finish()

    thread = threading.Thread(target=produce)
    thread.start()
    got = []
    while (item := await channel.get()) is not None:
        got.append(item.index)
    await asyncio.to_thread(thread.join)
    assert got == list(range(50))


async def test_room_is_counted_in_milliseconds() -> None:
    """The channel is full at its bound and has room again when a chunk is taken, which is told."""
    told = []
    channel = Channel(160, lambda: told.append(True))
    channel.put(chunk(0))
    assert channel.has_room
    channel.put(chunk(1))
    assert not channel.has_room
    await channel.get()
    assert channel.has_room and told == [True]


async def test_an_error_comes_after_the_chunks_before_it() -> None:
    """Audio that was made before a failure is not lost."""
    channel = Channel(1000, lambda: None)
    channel.put(chunk(0))
    channel.finish(EngineError("it broke"))
    assert (await channel.get()) is not None
    with pytest.raises(EngineError, match="it broke"):
        await channel.get()


async def test_nothing_comes_out_after_closing() -> None:
    """Queued chunks and chunks on their way are dropped."""
    channel = Channel(1000, lambda: None)
    channel.put(chunk(0))
    await settle()
    channel.put(chunk(1))
    channel.close()
    channel.put(chunk(2))
    channel.finish()
    assert channel.is_closed
    assert await channel.get() is None


async def test_a_cancelled_get_loses_nothing() -> None:
    """Giving up waiting does not take a chunk along."""
    channel = Channel(1000, lambda: None)
    waiting = asyncio.create_task(channel.get())
    await settle()
    waiting.cancel()
    channel.put(chunk(0))
    await settle()
    item = await channel.get()
    assert item is not None and item.index == 0


async def test_waiting_for_the_producer_to_let_go() -> None:
    """`wait_finished` returns once the producer has said it is through."""
    channel = Channel(1000, lambda: None)
    channel.close()
    waiting = asyncio.create_task(channel.wait_finished())
    await settle()
    assert not waiting.done()
    channel.finish()
    await waiting


def test_a_loop_that_is_gone_ends_the_stream() -> None:
    """A producer that outlives its consumer's event loop is told to stop, not raised at."""

    async def make() -> Channel:
        return Channel(1000, lambda: None)

    channel = asyncio.run(make())
    channel.put(chunk(0))
    channel.finish()
    assert channel.is_closed
