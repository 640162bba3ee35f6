from __future__ import annotations

import asyncio

from fakes import FakeEngine, synthesizer_on

from moss_stream.server.open_stream import END, FLUSH, OpenStream, weight


def test_every_order_weighs_something() -> None:
    """So that none can be given without end."""
    assert [weight(order) for order in ("abc", "", FLUSH, END)] == [3, 1, 1, 1]


async def test_orders_wait_until_the_stream_takes_them() -> None:
    """What waits is counted, and what was ever given; giving holds nobody up."""
    async with await synthesizer_on(FakeEngine(frames_per_segment=10**6)) as synth:
        held = OpenStream(synth.stream())
        held.give("word " * 1_000)
        held.give(FLUSH)
        assert held.num_waiting == held.num_written == 5_001
        held.hearing = asyncio.create_task(asyncio.sleep(0))
        await held.stop()
        assert held.num_written == 5_001


async def test_orders_are_carried_out_in_turn() -> None:
    """Text, flush and end reach the stream, and nothing waits any more."""
    async with await synthesizer_on(FakeEngine(frames_per_segment=2)) as synth:
        held = OpenStream(synth.stream())
        for order in ("Hello. ", FLUSH, "There.", END):
            held.give(order)
        chunks = [chunk async for chunk in held.stream]
        assert chunks[-1].is_final and sum(chunk.is_flush for chunk in chunks) == 1
        while held.num_waiting:
            await asyncio.sleep(0)
        held.feeding.cancel()
