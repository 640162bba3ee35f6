"""Clients that do not read: little is made for them, and their slots go to who waits."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest
from fakes import FakeEngine
from web import served
from websockets.asyncio.client import connect

from moss_stream import EngineOptions, StreamingSynthesizer
from moss_stream.audio import FRAME_S

TEXT = "This is a sentence of average length. " * 9
ORDERS: dict[str, list[dict[str, Any]]] = {
    "/v1/speak": [
        {"type": "start"},
        {"type": "played", "seconds": 10**6},  # whatever is sent, so that nothing waits to be heard
        {"type": "text", "text": TEXT},
        {"type": "end"},
    ],
    "/tts/websocket": [{"context_id": "a", "transcript": TEXT, "continue": False}],
}
BODIES: dict[str, dict[str, Any]] = {
    "/v1/audio/speech": {"input": TEXT, "response_format": "pcm"},
    "/v1/audio/speech?sse": {"input": TEXT, "response_format": "pcm", "stream_format": "sse"},
    "/tts/bytes": {"transcript": TEXT},
}
DOORS = [*ORDERS, *BODIES]
RECEIVED = 16 << 10
"""What the client's own system takes for it, asked for as little as it can be."""
MOST_S = 10.0
"""Audio that may be made for nobody: a second in the queue, and what both systems hold (twice what they are
asked for), each at 48 kB a second. Without limits it is 90 s in the system's buffer alone."""


@asynccontextmanager
async def deaf(client: httpx.AsyncClient, door: str) -> AsyncIterator[None]:
    """A client that asks for speech and reads nothing but the beginning."""
    assert client.base_url.port is not None
    line = socket.socket()
    line.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVED)
    line.setblocking(False)
    await asyncio.get_running_loop().sock_connect(line, ("127.0.0.1", client.base_url.port))
    if door in ORDERS:
        url = f"ws://127.0.0.1{door}"
        async with connect(url, sock=line, compression=None, max_queue=1, close_timeout=0.01) as connection:
            for order in ORDERS[door]:
                await connection.send(json.dumps(order))
            yield
        return
    body = json.dumps(BODIES[door]).encode()
    head = f"POST {door} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
    loop = asyncio.get_running_loop()
    await loop.sock_sendall(line, head.encode() + b"Content-Length: %d\r\n\r\n" % len(body) + body)
    try:
        yield
    finally:
        line.close()


async def idle(synth: StreamingSynthesizer) -> None:
    while not synth.metrics.active:
        await asyncio.sleep(0.001)
    while synth.metrics.active:
        await asyncio.sleep(0.01)


@pytest.mark.parametrize("door", ["/v1/speak", *BODIES])
async def test_little_is_made_for_who_does_not_read(door: str) -> None:
    """Seconds of audio, in all buffers together."""
    engine = FakeEngine(frames_per_segment=10**6, max_streams=1)
    async with served(engine, EngineOptions(max_lead_ms=400), idle_s=1.0) as (client, synth):
        async with deaf(client, door):
            await idle(synth)
    assert engine.num_steps * FRAME_S < MOST_S


@pytest.mark.parametrize("door", DOORS)
async def test_a_slot_goes_to_who_waits(door: str) -> None:
    """Long before the idle time; while nobody waits, who does not read keeps it."""
    engine = FakeEngine(frames_per_segment=10**6, max_streams=1)
    options = EngineOptions(max_lead_ms=60_000 if door in ORDERS else 400, max_queue=1)
    async with served(engine, options, idle_s=3600, stall_s=0.2) as (client, synth):
        async with deaf(client, door):
            while not synth.metrics.active:
                await asyncio.sleep(0.001)
            async with client.stream(
                "POST", "/v1/audio/speech", json={"input": "Hello.", "response_format": "pcm"}
            ) as answer:
                assert answer.status_code == 200
                assert await anext(answer.aiter_bytes())
