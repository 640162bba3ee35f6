"""Clients of all protocols, together on one server."""

from __future__ import annotations

import asyncio
import itertools

import httpx
import pytest
from fakes import FakeEngine, synthesizer_on
from limits import HANG_S
from web import idle

from benchmarks.protocols import WAYS, Address
from benchmarks.serving import serving_all
from moss_stream import EngineOptions

CLIENTS = 200
FRAME_BYTES = 3840


@pytest.mark.parametrize("name", WAYS)
async def test_each_protocol_carries_all_of_a_text(name: str) -> None:
    """What the benchmarks listen to is what was said."""
    async with await synthesizer_on(FakeEngine(frames_per_segment=5)) as synth:
        async with serving_all(synth) as (url, port), httpx.AsyncClient(base_url=url) as client:
            heard: list[int] = []
            await WAYS[name](Address(url, port, client), "Hello there.", heard.append)
    assert sum(heard) == 5 * FRAME_BYTES and len([each for each in heard if each]) > 1


async def test_two_hundred_at_once_leave_nothing() -> None:
    """Each hears all of its own text; then no slot is taken, no stream counted, no task left."""
    engine = FakeEngine(frames_per_segment=5, max_streams=CLIENTS)
    options = EngineOptions(max_streams=CLIENTS, max_queue=CLIENTS)
    limits = httpx.Limits(max_connections=CLIENTS)
    async with await synthesizer_on(engine, options) as synth, serving_all(synth) as (url, port):
        async with httpx.AsyncClient(base_url=url, limits=limits, timeout=HANG_S) as client:
            address, heard = Address(url, port, client), [0] * CLIENTS

            async def listen(number: int, name: str) -> None:
                def hear(num_bytes: int) -> None:
                    heard[number] += num_bytes

                await WAYS[name](address, f"Hello number {number}.", hear)

            await WAYS["POST /v1/audio/speech"](address, "Warm.", lambda num_bytes: None)
            before = len(asyncio.all_tasks())
            ways = itertools.cycle(WAYS)
            await asyncio.gather(*(listen(number, next(ways)) for number in range(CLIENTS)))
            await idle(synth)
            async with asyncio.timeout(HANG_S):
                while len(asyncio.all_tasks()) > before:
                    await asyncio.sleep(0.01)
    assert heard == [5 * FRAME_BYTES] * CLIENTS
    assert synth.metrics.ended == {"done": CLIENTS + 1}
