from __future__ import annotations

import asyncio
import base64
import contextlib
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
from fakes import FakeEngine
from limits import HANG_S
from web import idle, served
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from moss_stream import EngineOptions, StreamingSynthesizer

Message = dict[str, Any]
VOICE = "21m00Tcm4TlvDq8ikWAM"
PCM = "output_format=pcm_24000"


@contextlib.asynccontextmanager
async def socket(
    way: str = "multi-stream-input",
    query: str = "",
    engine: FakeEngine | None = None,
    options: EngineOptions | None = None,
    voice: str = VOICE,
    headers: dict[str, str] | None = None,
    **settings: Any,
) -> AsyncIterator[tuple[ClientConnection, StreamingSynthesizer]]:
    async with served(engine or FakeEngine(frames_per_segment=5), options, **settings) as (client, synth):
        url = str(client.base_url).replace("http", "ws")
        address = f"{url}/v1/text-to-speech/{voice}/{way}?{PCM}&{query}"
        async with connect(address, compression=None, additional_headers=headers) as connection:
            yield connection, synth


async def send(connection: ClientConnection, *messages: Message) -> None:
    for message in messages:
        await connection.send(json.dumps(message))


async def until_final(connection: ClientConnection, context: str | None = None) -> list[Message]:
    """All messages up to the end of a context."""
    messages: list[Message] = []
    while not messages or not (messages[-1].get("isFinal") and messages[-1].get("contextId") == context):
        messages.append(json.loads(await asyncio.wait_for(connection.recv(), HANG_S)))
    return messages


def pcm(messages: list[Message]) -> bytes:
    return b"".join(base64.b64decode(message["audio"]) for message in messages if message.get("audio"))


def alignments(messages: list[Message]) -> list[Message]:
    return [message["alignment"] for message in messages if message.get("alignment")]


async def until_aligned(connection: ClientConnection) -> list[Message]:
    """The next times of characters: a segment is over."""
    while not (told := alignments([json.loads(await asyncio.wait_for(connection.recv(), HANG_S))])):
        pass
    return told


async def test_one_text_as_it_comes_and_the_socket_closes() -> None:
    """Its parts, an empty text as the end, audio, the times of all characters, `isFinal`, close 1000."""
    async with socket("stream-input") as (connection, synth):
        opening = {"text": " ", "voice_settings": {"stability": 0.5}, "xi_api_key": "any"}
        await send(connection, opening)
        await send(
            connection, *({"text": text, "try_trigger_generation": True} for text in ("Hello ", "you. "))
        )
        await send(connection, {"text": ""})
        messages = await until_final(connection)
        with pytest.raises(ConnectionClosed):
            await connection.recv()
        assert connection.close_code == 1000
        await idle(synth)
    assert len(pcm(messages)) == 5 * 3840
    assert "".join(char for each in alignments(messages) for char in each["chars"]) == "Hello you. "
    assert messages[-1] == {"audio": None, "isFinal": True}


async def test_an_opened_socket_holds_no_slot() -> None:
    """Clients open them ahead of time; the slot is taken with the first text."""
    async with socket("stream-input") as (connection, synth):
        await send(connection, {"text": " "}, {"text": " "})
        pong = await connection.ping()
        await pong
        assert synth.metrics.active == 0
        await send(connection, {"text": ""})
        assert (await until_final(connection)) == [{"audio": None, "isFinal": True}]


async def test_contexts_side_by_side() -> None:
    """Each has its audio and its end; what was announced needs no text."""
    async with socket() as (connection, _):
        for name in ("a", "b"):
            await send(connection, {"text": " ", "context_id": name}, {"text": "Hello. ", "context_id": name})
        await send(connection, {"text": "", "context_id": "a"})  # keeps it alive
        for name in ("a", "b"):
            await send(
                connection, {"context_id": name, "flush": True}, {"context_id": name, "close_context": True}
            )
        messages = await until_final(connection, "a")
        if not any(message.get("isFinal") and message["contextId"] == "b" for message in messages):
            messages += await until_final(connection, "b")
        await send(connection, {"text": " ", "context_id": "c"}, {"context_id": "c", "close_context": True})
        assert len(await until_final(connection, "c")) == 1
    for name in ("a", "b"):
        assert len(pcm([message for message in messages if message["contextId"] == name])) == 5 * 3840


@pytest.mark.parametrize("is_cumulative", [False, True])
async def test_times_count_from_the_begin_or_from_the_last_ones(is_cumulative: bool) -> None:
    """Who asks for `sync_alignment` takes them as they are; others add up what came before."""
    async with socket(query="sync_alignment=true" if is_cumulative else "") as (connection, _):
        told: list[Message] = []
        for text in ("One two. ", "Three four. ", "Five six. "):
            await send(connection, {"text": text, "context_id": "a", "flush": True})
            told += await until_aligned(connection)
        await send(connection, {"context_id": "a", "close_context": True})
        told += alignments(await until_final(connection, "a"))
    offset_ms, starts, chars = 0, list[int](), list[str]()
    for each in told:
        starts += [offset_ms + start_ms for start_ms in each["charStartTimesMs"]]
        chars += each["chars"]
        if not is_cumulative:
            offset_ms += each["charStartTimesMs"][-1] + each["charDurationsMs"][-1]
    assert "".join(chars) == "One two. Three four. Five six. " and starts == sorted(starts)
    third = "".join(chars).index("Five")
    assert starts[third] == pytest.approx(800, abs=90)


async def test_a_context_that_is_closed_twice_is_stopped() -> None:
    """Pipecat does so when its listener interrupts; a context closed once is spoken to its end."""
    engine = FakeEngine(frames_per_segment=10**6)
    async with socket(engine=engine, options=EngineOptions(max_lead_ms=400)) as (connection, synth):
        await send(connection, {"text": "A long story. ", "context_id": "a"})
        await send(connection, {"context_id": "a", "close_context": True})
        while not json.loads(await connection.recv()).get("audio"):
            pass
        await send(connection, {"context_id": "a", "close_context": True})
        await until_final(connection, "a")
        await idle(synth)
        assert synth.metrics.ended == {"cancelled": 1}


async def test_auto_mode_speaks_each_message_at_once() -> None:
    """Without waiting for more, or for the end of a sentence."""
    async with socket(query="auto_mode=true") as (connection, _):
        await send(connection, {"text": "And then ", "context_id": "a"})
        await until_aligned(connection)


async def test_closing_the_socket_speaks_what_is_there() -> None:
    """Then it is closed, with 1000."""
    async with socket() as (connection, _):
        await send(connection, {"text": "Hello. ", "context_id": "a"}, {"close_socket": True})
        assert len(pcm(await until_final(connection, "a"))) == 5 * 3840
        with pytest.raises(ConnectionClosed):
            await connection.recv()
        assert connection.close_code == 1000


@pytest.mark.parametrize(
    "message",
    [
        "no json",
        "[]",
        json.dumps({"text": 7}),
        json.dumps({"text": "... ", "context_id": "a", "flush": True}),
    ],
)
async def test_a_bad_message_is_answered_and_the_socket_lives(message: str) -> None:
    """The next context is spoken."""
    async with socket() as (connection, _):
        await connection.send(message)
        if "..." in message:
            await send(connection, {"context_id": "a", "close_context": True})
        answer: dict[str, Any] = {"audio": ""}
        while not answer.get("audio", True):  # what was flushed is aligned first, though it has no sound
            answer = json.loads(await asyncio.wait_for(connection.recv(), HANG_S))
        assert answer["error"] and answer["message"] and answer["code"] == 1008
        await send(
            connection, {"text": "Hello. ", "context_id": "b"}, {"context_id": "b", "close_context": True}
        )
        assert pcm(await until_final(connection, "b"))


@pytest.mark.parametrize("message", ["no json", json.dumps({"text": "x" * 101})])
async def test_a_bad_message_ends_a_socket_for_one_text(message: str) -> None:
    """Clients wait for the close, and read what came before it."""
    async with socket("stream-input", max_text_chars=100) as (connection, synth):
        await connection.send(message)
        assert json.loads(await connection.recv())["error"]
        with pytest.raises(ConnectionClosed):
            await connection.recv()
        assert connection.close_code == 1008
        await idle(synth)


@pytest.mark.parametrize(
    ("voice", "query", "told"),
    [("nobody", "", "voice_not_found"), (VOICE, "output_format=midi", "output_format_not_allowed")],
)
async def test_a_bad_address_is_told_of(voice: str, query: str, told: str) -> None:
    """By a message, then a close."""
    async with served() as (client, _):
        url = str(client.base_url).replace("http", "ws")
        async with connect(f"{url}/v1/text-to-speech/{voice}/stream-input?{query}") as connection:
            assert json.loads(await connection.recv())["error"] == told
            with pytest.raises(ConnectionClosed):
                await connection.recv()


async def test_the_key_comes_in_a_header_or_with_the_first_message() -> None:
    """A page can set no headers. What is no key is told of."""
    keys = ("long-secret",)
    async with socket("stream-input", headers={"xi-api-key": "long-secret"}, api_keys=keys) as (
        connection,
        _,
    ):
        await send(connection, {"text": "Hello. "}, {"text": ""})
        assert pcm(await until_final(connection))
    async with socket("stream-input", api_keys=keys) as (connection, _):
        await send(connection, {"text": " ", "xi-api-key": "long-secret"}, {"text": "Hello. "}, {"text": ""})
        assert pcm(await until_final(connection))
    for headers, first in (({"xi-api-key": "wrong"}, None), ({}, {"text": " ", "xi_api_key": "wrong"})):
        async with socket("multi-stream-input", headers=headers, api_keys=keys) as (connection, _):
            if first is not None:
                await send(connection, first)
            assert json.loads(await connection.recv())["error"] == "invalid_api_key"
            with pytest.raises(ConnectionClosed):
                await connection.recv()
            assert connection.close_code == 1008
