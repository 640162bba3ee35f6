"""When connections run short: the idle ones make room, and health is always served."""

from __future__ import annotations

import asyncio
import contextlib
import json

import httpx
import pytest
from fakes import FakeEngine
from web import served
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from moss_stream import EngineOptions
from moss_stream.server.http.connections import SPARE, Places
from moss_stream.server.http.problems import Problem

SPEECH = {"input": "Hello.", "response_format": "pcm"}


async def line_to(client: httpx.AsyncClient) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    assert client.base_url.port is not None
    return await asyncio.open_connection("127.0.0.1", client.base_url.port)


def test_the_one_that_asked_for_nothing_longest_is_given_up() -> None:
    """Those that are asking stay, and those that are gone do not count."""
    places, given_up = Places(2), list[int]()
    for number in range(2 + SPARE):
        places.rest(number, lambda number=number: given_up.append(number))  # type: ignore[misc]
        places.open(number)
    places.work(0)
    places.close(1)
    places.open(100)
    assert given_up == []
    places.open(101)
    assert given_up == [2]
    places.rest(0, lambda: given_up.append(0))
    places.open(102)
    assert given_up == [2, 3]


def test_idle_sockets_make_room_for_requests() -> None:
    """The one that was silent longest goes first; sockets on which something is said keep their places."""
    places, given_up = Places(3), list[str]()
    with contextlib.ExitStack() as stack:
        for name, is_idle in (("busy", False), ("first", True), ("second", True)):
            stack.enter_context(places.served())
            socket = places.socket(name, lambda idle=is_idle: idle, lambda name=name: given_up.append(name))  # type: ignore[misc]
            stack.enter_context(socket)
        places.heard("first")
        for wanted in ("second", "first"):
            stack.enter_context(places.served())
            assert given_up[-1] == wanted
        with pytest.raises(Problem) as caught, places.served():
            pass
        assert caught.value.status == 503 and caught.value.retry_after_s
    with places.served():
        pass


async def test_health_is_served_among_idle_connections() -> None:
    """More of them than there are places: every path is served at once, and they are closed, oldest first."""
    async with served(max_connections=10) as (client, _), contextlib.AsyncExitStack() as stack:
        lines = []
        for _ in range(60):
            lines.append(await line_to(client))
            stack.callback(lines[-1][1].close)
        for path in ("/healthz", "/readyz", "/v1/models"):
            assert (await client.get(path)).status_code == 200, path
        assert await lines[0][0].read() == b""
        reader, writer = lines[-1]
        writer.write(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert b"200" in await reader.readline()


async def test_health_is_served_when_every_place_is_taken() -> None:
    """Others are told to come back, over HTTP and as a socket; nobody who is being spoken to is cut off."""
    engine = FakeEngine(frames_per_segment=10**6)
    async with served(engine, EngineOptions(max_lead_ms=160), max_connections=2) as (client, _):
        url = str(client.base_url).replace("http", "ws") + "/v1/speak"
        async with connect(url, compression=None) as one, connect(url, compression=None) as two:
            for socket in (one, two):
                for order in ({"type": "start"}, {"type": "text", "text": "Hello."}, {"type": "flush"}):
                    await socket.send(json.dumps(order))
                while not isinstance(await socket.recv(), bytes):
                    pass
            for path in ("/healthz", "/readyz"):
                assert (await client.get(path)).status_code == 200
            refused = await client.post("/v1/audio/speech", json=SPEECH)
            assert refused.status_code == 503 and refused.headers["retry-after"] == "1"
            with pytest.raises(InvalidStatus) as caught:
                await connect(url)
            assert caught.value.response.status_code == 503
            assert caught.value.response.headers["retry-after"] == "1"
            while not isinstance(await one.recv(), bytes):
                pass


async def test_a_socket_without_a_stream_gives_its_place_away() -> None:
    """A request is served, and the socket is closed with a reason."""
    async with served(max_connections=1) as (client, _):
        url = str(client.base_url).replace("http", "ws") + "/v1/speak"
        async with connect(url, compression=None) as socket:
            assert (await client.post("/v1/audio/speech", json=SPEECH)).status_code == 200
            with pytest.raises(ConnectionClosed, match="others need the place"):
                await socket.recv()
