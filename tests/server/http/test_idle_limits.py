"""Clients that hold the line: they are given up, and everything they held is free."""

from __future__ import annotations

import asyncio
import contextlib
import json

import httpx
import pytest
from fakes import FakeEngine
from web import served
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from moss_stream import EngineOptions, StreamingSynthesizer

REQUEST = b"POST /v1/audio/speech HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"


async def line_to(client: httpx.AsyncClient) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    assert client.base_url.port is not None
    return await asyncio.open_connection("127.0.0.1", client.base_url.port, limit=1 << 10)


@pytest.mark.parametrize("beginning", [b"", b"GET /heal", REQUEST])
async def test_who_asks_for_nothing_is_hung_up_on(beginning: bytes) -> None:
    """A connection without a whole request ends after the idle time."""
    async with served(idle_s=0.5) as (client, _):
        reader, writer = await line_to(client)
        writer.write(beginning)
        assert await reader.read() == b""
        writer.close()


async def test_a_body_that_does_not_come_is_refused() -> None:
    """Who announces a body and sends only its beginning is told so."""
    async with served(idle_s=0.5) as (client, _):
        reader, writer = await line_to(client)
        writer.write(REQUEST + b'Content-Length: 500\r\n\r\n{"input": "Hel')
        answer = await reader.readline()
        assert b"408" in answer
        writer.close()


async def test_a_body_that_is_whole_before_it_is_too_long_is_refused_too() -> None:
    """What was read so far would be spoken; the server says that it is too much, and serves others."""
    async with served(max_body_bytes=2000) as (client, _):
        reader, writer = await line_to(client)
        writer.write(REQUEST + b"Transfer-Encoding: chunked\r\n\r\n")
        for chunk in [b'{"input": "Hello."}', *[b" " * 1000] * 3]:
            writer.write(b"%x\r\n%b\r\n" % (len(chunk), chunk))
        assert b"413" in await reader.readline()
        assert (await client.get("/healthz")).status_code == 200
        writer.close()


async def test_headers_have_a_limit() -> None:
    """Endless headers are not collected."""
    async with served() as (client, _):
        reader, writer = await line_to(client)
        writer.write(REQUEST + b"X-Long: " + b"x" * (1 << 18))
        assert b"400" in await reader.readline()
        writer.close()


# Long enough not to be all in the buffers before it is seen to be spoken.
LONG = "This is a sentence. " * 50


async def begun(socket: ClientConnection, synth: StreamingSynthesizer) -> None:
    for order in ({"type": "start"}, {"type": "text", "text": LONG}, {"type": "end"}):
        await socket.send(json.dumps(order))
    while not synth.metrics.active:
        await asyncio.sleep(0.001)


async def freed(synth: StreamingSynthesizer) -> None:
    while synth.metrics.active:
        await asyncio.sleep(0.01)


async def test_an_answer_that_is_not_read_is_stopped() -> None:
    """Its slot is free again, for somebody who listens."""
    engine = FakeEngine(frames_per_segment=10**6, max_streams=1)
    async with served(engine, EngineOptions(max_lead_ms=400), idle_s=0.5) as (client, synth):
        _, writer = await line_to(client)
        body = json.dumps({"input": LONG, "response_format": "pcm"}).encode()
        writer.write(REQUEST + b"Content-Length: %d\r\n\r\n" % len(body) + body)
        while not synth.metrics.active:
            await asyncio.sleep(0.001)
        await freed(synth)
        writer.close()


async def test_a_socket_that_is_not_read_is_closed() -> None:
    """However busy its streams are."""
    engine = FakeEngine(frames_per_segment=10**6, max_streams=1)
    async with served(engine, EngineOptions(max_lead_ms=10**6), idle_s=0.5) as (client, synth):
        url = str(client.base_url).replace("http", "ws") + "/v1/speak"
        async with connect(url, compression=None, max_queue=1, close_timeout=0.1) as socket:
            await begun(socket, synth)
            await freed(synth)


async def test_a_socket_that_asks_and_does_not_read_is_closed() -> None:
    """Also when its own messages wait to be answered: its streams do not keep their slots."""
    engine = FakeEngine(frames_per_segment=10**6, max_streams=1)
    async with served(engine, EngineOptions(max_lead_ms=10**6), idle_s=0.5) as (client, synth):
        url = str(client.base_url).replace("http", "ws") + "/v1/speak"
        async with connect(url, compression=None, max_queue=1, close_timeout=0.1) as socket:
            await begun(socket, synth)
            while synth.metrics.active:
                with contextlib.suppress(ConnectionClosed, TimeoutError):
                    await asyncio.wait_for(socket.send("no json"), 0.01)
                await asyncio.sleep(0)  # the server's turn: a send that need not wait lets nobody run


async def test_a_stream_without_text_is_no_reason_to_stay() -> None:
    """Who starts a stream and then says nothing does not keep its slot."""
    async with served(idle_s=0.5) as (client, synth):
        url = str(client.base_url).replace("http", "ws") + "/v1/speak"
        async with connect(url, compression=None) as socket:
            await socket.send('{"type": "start"}')
            with pytest.raises(ConnectionClosed, match="1001"):
                while True:
                    await socket.recv()
            await freed(synth)
