from __future__ import annotations

import asyncio
import contextlib
import json
import logging
from collections.abc import AsyncIterator
from typing import Any

import pytest
from fakes import FakeEngine
from limits import HANG_S
from web import idle, served
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.typing import Subprotocol

from moss_stream import EngineOptions, StreamingSynthesizer

FRAME = 3840


@contextlib.asynccontextmanager
async def socket(
    engine: FakeEngine | None = None, options: EngineOptions | None = None, query: str = "", **settings: Any
) -> AsyncIterator[tuple[ClientConnection, StreamingSynthesizer]]:
    async with served(engine or FakeEngine(frames_per_segment=5), options, **settings) as (client, synth):
        url = str(client.base_url).replace("http", "ws")
        async with connect(f"{url}/v1/speak?model=aura-2-thalia-en{query}", compression=None) as connection:
            assert (await until(connection, "Metadata"))[1]["model_name"]
            yield connection, synth


async def send(connection: ClientConnection, *kinds: str) -> None:
    """Give texts, and orders by their names."""
    for kind in kinds:
        is_order = kind in ("Flush", "Clear", "Close")
        message = {"type": kind} if is_order else {"type": "Speak", "text": kind}
        await connection.send(json.dumps(message))


async def until(connection: ClientConnection, kind: str) -> tuple[int, dict[str, Any]]:
    """Read up to a message of a kind; return how many bytes of audio came before it."""
    num_bytes = 0
    while True:
        message = await asyncio.wait_for(connection.recv(), HANG_S)
        if isinstance(message, bytes):
            num_bytes += len(message)
        elif (content := json.loads(message))["type"] == kind:
            return num_bytes, content


async def test_a_text_is_spoken_and_told_of() -> None:
    """Audio, then which flush it was; in between the client holds no slot."""
    async with socket() as (connection, synth):
        for number in range(2):
            await send(connection, "Hello ", "there. ", "Flush")
            num_bytes, flushed = await until(connection, "Flushed")
            assert num_bytes == 5 * FRAME and flushed["sequence_id"] == number
            await idle(synth)


@pytest.mark.parametrize(
    ("query", "num_bytes"), [("&encoding=mulaw", 640), ("&encoding=alaw&sample_rate=16000", 1280)]
)
async def test_other_encodings(query: str, num_bytes: int) -> None:
    """As the address asks, to the last sample."""
    async with socket(query=query) as (connection, _):
        await send(connection, "Hello. ", "Flush")
        assert (await until(connection, "Flushed"))[0] == pytest.approx(5 * num_bytes, abs=4)


async def test_texts_that_overlap_stay_in_order() -> None:
    """Each flush is told of once, behind its audio."""
    async with socket() as (connection, _):
        await send(connection, "One. ", "Flush", "Two. ", "Flush", "Flush")
        sizes = [(await until(connection, "Flushed"))[0] for _ in range(3)]
        assert sum(sizes) >= 5 * FRAME and sizes[2] == 0


async def test_an_interruption_reaches_the_engine() -> None:
    """`Clear` stops the text, and the next one is spoken."""
    engine = FakeEngine(frames_per_segment=10**6)
    async with socket(engine, EngineOptions(max_lead_ms=400)) as (connection, synth):
        await send(connection, "A long story. ")
        while not isinstance(await connection.recv(), bytes):
            pass
        await send(connection, "Clear")
        assert (await until(connection, "Cleared"))[1]["sequence_id"] == 0
        await idle(synth)
        assert synth.metrics.ended == {"cancelled": 1}
        engine.frames_per_segment = 2
        await send(connection, "Short. ", "Flush")
        assert (await until(connection, "Flushed"))[0] == 2 * FRAME
        await send(connection, "Clear")
        assert (await until(connection, "Cleared"))[1]["sequence_id"] == 1


async def test_closing_speaks_what_is_there() -> None:
    """Then the socket is closed."""
    async with socket() as (connection, _):
        await send(connection, "Hello. ", "Close")
        num_bytes = 0
        with pytest.raises(ConnectionClosed):
            while True:
                num_bytes += len(await asyncio.wait_for(connection.recv(), HANG_S))
        assert num_bytes == 5 * FRAME and connection.close_code == 1000


@pytest.mark.parametrize("message", ["no json", "[]", '{"type": "Sing"}', '{"type": "Speak"}'])
async def test_a_bad_message_is_answered_and_the_socket_lives(message: str) -> None:
    """The next text is spoken."""
    async with socket() as (connection, _):
        await connection.send(message)
        told = (await until(connection, "Error"))[1]
        assert told["code"] == "INVALID_MESSAGE" and told["description"]
        await send(connection, "Hello. ", "Flush")
        assert (await until(connection, "Flushed"))[0] == 5 * FRAME


async def test_what_fails_is_told_of() -> None:
    """Also that its flush will not come."""
    async with socket(FakeEngine(frames_per_segment=5, refuse="Hello")) as (connection, synth):
        await send(connection, "Hello. ", "Flush")
        assert (await until(connection, "Error"))[1]["code"] == "INVALID_TEXT"
        await until(connection, "Flushed")
        await send(connection, "Fine. ", "Flush")
        assert (await until(connection, "Flushed"))[0] == 5 * FRAME


@pytest.mark.parametrize(
    ("query", "headers", "status", "code"),
    [
        ("model=nobody", {}, 400, "UNKNOWN_VOICE"),
        ("encoding=mp3", {}, 400, "UNSUPPORTED_AUDIO_FORMAT"),
        ("sample_rate=7", {}, 400, "INVALID_QUERY_PARAMETER"),
        ("model=aura-2-thalia-en", {"Authorization": "Token wrong-secret"}, 401, "INVALID_AUTH"),
    ],
)
async def test_a_bad_address_is_refused(
    query: str, headers: dict[str, str], status: int, code: str, caplog: pytest.LogCaptureFixture
) -> None:
    """With a status, a body and a header, before the socket opens; the log blames nobody for it."""
    caplog.set_level(logging.WARNING)
    keys = ("long-secret",) if status == 401 else ()
    async with served(api_keys=keys) as (client, _):
        url = str(client.base_url).replace("http", "ws")
        with pytest.raises(InvalidStatus) as caught:
            await connect(f"{url}/v1/speak?{query}", additional_headers=headers)
    refusal = caught.value.response
    assert refusal.status_code == status and refusal.headers["dg-error"]
    assert refusal.body is not None and json.loads(refusal.body)["err_code"] == code
    assert not caplog.records


async def test_the_key_comes_in_a_header_or_as_a_protocol() -> None:
    """A page can set no headers; our own protocol, at the same address, is what it was."""
    async with served(FakeEngine(frames_per_segment=5), api_keys=("long-secret",)) as (client, _):
        url = str(client.base_url).replace("http", "ws") + "/v1/speak"
        async with connect(url, additional_headers={"Authorization": "Token long-secret"}) as connection:
            await until(connection, "Metadata")
        protocols = [Subprotocol("token"), Subprotocol("long-secret")]
        async with connect(url, subprotocols=protocols) as connection:
            assert connection.subprotocol == "token"
            await send(connection, "Hello. ", "Flush")
            assert (await until(connection, "Flushed"))[0] == 5 * FRAME
        async with connect(f"{url}?api_key=long-secret") as connection:
            await connection.send('{"type": "start"}')
            assert json.loads(await connection.recv())["type"] == "started"
