from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
from fakes import TONE_PEAK, FakeEngine, StereoFake, is_silent, is_tone
from limits import HANG_S
from web import idle, served
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from moss_stream import EngineOptions, StreamingSynthesizer
from moss_stream.audio import as_samples
from moss_stream.wire import Packet, unpack

TEXT = "This is a sentence of average length. "
Message = dict[str, Any]


@contextlib.asynccontextmanager
async def socket(
    engine: FakeEngine | None = None, query: str = "", options: EngineOptions | None = None, **settings: Any
) -> AsyncIterator[tuple[ClientConnection, StreamingSynthesizer]]:
    """A connection to a server of its own."""
    async with served(engine, options, **settings) as (client, synth):
        url = str(client.base_url).replace("http", "ws")
        async with connect(f"{url}/v1/speak{query}", compression=None) as connection:
            yield connection, synth


async def send(connection: ClientConnection, kind: str, **content: Any) -> None:
    await connection.send(json.dumps({"type": kind, **content}))


async def receive(connection: ClientConnection, until: str) -> tuple[list[Packet], list[Message]]:
    """Audio and messages, up to a message of a kind."""
    packets, messages = list[Packet](), list[Message]()
    while not messages or messages[-1]["type"] != until:
        message = await asyncio.wait_for(connection.recv(), HANG_S)
        if isinstance(message, bytes):
            packets.append(unpack(message))
        else:
            messages.append(json.loads(message))
    return packets, messages


async def test_text_goes_in_and_audio_comes_out() -> None:
    """Word by word, with times of the words and a last message; every sample is there."""
    async with socket(FakeEngine(frames_per_segment=5)) as (connection, _):
        await send(connection, "start", stream=7, language="English", max_wait_ms=60_000)
        for word in TEXT.split(" "):
            await send(connection, "text", stream=7, text=word + " ")
        await send(connection, "end", stream=7)
        packets, messages = await receive(connection, "done")
    assert [message["type"] for message in messages] == ["started", "words", "done"]
    assert messages[0]["sample_rate"] == 24_000 and all(message["stream"] == 7 for message in messages)
    assert [word["text"] for word in messages[1]["words"]] == TEXT.split()
    assert messages[2]["metrics"]["audio_s"] == pytest.approx(0.4)
    assert [packet.start_ms for packet in packets] == [0, 80, 160, 240, 320]
    assert all(
        packet.stream == 7 and packet.generation == 0 and len(packet.pcm) == 3840 for packet in packets
    )


async def test_a_cancelled_stream_tells_what_was_heard() -> None:
    """By the client's own report; the name is free again, and new audio has a new generation."""
    engine = FakeEngine(frames_per_segment=20)
    async with socket(engine, options=EngineOptions(max_lead_ms=600)) as (connection, synth):
        await send(connection, "start")
        await send(connection, "text", text="alpha beta gamma delta.")
        await send(connection, "flush")
        while not isinstance(await connection.recv(), bytes):
            pass
        await send(connection, "played", seconds=0.4)
        await send(connection, "cancel")
        _, messages = await receive(connection, "cancelled")
        spoken = messages[-1]["spoken"]
        assert messages[-1]["generation"] == 1
        await idle(synth)
        assert "alpha beta gamma delta.".startswith(spoken["text"]) and spoken["seconds"] <= 0.4
        await send(connection, "cancel")  # of what is cancelled: nothing happens
        engine.frames_per_segment = 2
        await send(connection, "start")
        await send(connection, "text", text="Again.")
        await send(connection, "end")
        packets, _ = await receive(connection, "done")
        assert [packet.generation for packet in packets if packet.generation] == [1, 1]


async def test_what_is_made_but_not_heard_can_be_interrupted() -> None:
    """The server is far ahead of the listener: after `done` a cancel still says what was heard."""
    engine = FakeEngine(frames_per_segment=20)
    async with socket(engine) as (connection, _):
        await send(connection, "start", stream=3)
        await send(connection, "text", stream=3, text="alpha beta gamma delta.")
        await send(connection, "flush", stream=3)
        await send(connection, "end", stream=3)
        packets, messages = await receive(connection, "done")
        assert [message["type"] for message in messages][-2:] == ["flushed", "done"] and len(packets) == 20
        await send(connection, "played", stream=3, seconds=0.8)
        await send(connection, "cancel", stream=3)
        _, messages = await receive(connection, "cancelled")
        spoken = messages[-1]["spoken"]
        assert spoken["seconds"] == pytest.approx(0.8) and spoken["text"] == "alpha beta"
        engine.frames_per_segment = 1
        for number in range(20):  # only some are remembered
            await send(connection, "start", stream=number)
            await send(connection, "text", stream=number, text="Hello.")
            await send(connection, "end", stream=number)
            await receive(connection, "done")
        for number in (0, 19):
            await send(connection, "cancel", stream=number)
        _, messages = await receive(connection, "cancelled")
        assert messages[-1]["stream"] == 19


async def test_a_cancel_overtakes_text_that_waits() -> None:
    """A client that sent a whole book can still interrupt."""
    async with socket(FakeEngine(frames_per_segment=10**6)) as (connection, synth):
        await send(connection, "start")
        for _ in range(10):
            await send(connection, "text", text=TEXT * 40)
        await send(connection, "cancel")
        await receive(connection, "cancelled")
        await idle(synth)


async def test_several_streams_on_one_socket() -> None:
    """Each has its own audio and its own end."""
    async with socket(FakeEngine(frames_per_segment=4)) as (
        connection,
        _,
    ):
        for number in (1, 2, 3):
            await send(connection, "start", stream=number)
            await send(connection, "text", stream=number, text=TEXT)
            await send(connection, "end", stream=number)
        packets: list[Packet] = []
        for _ in range(3):
            packets += (await receive(connection, "done"))[0]
    assert sorted(packet.stream for packet in packets) == [1] * 4 + [2] * 4 + [3] * 4


@pytest.mark.parametrize(
    ("messages", "code"),
    [
        (["not json"], "invalid_message"),
        (['{"type": "sing"}'], "invalid_message"),
        (["[]"], "invalid_message"),
        (['{"type": "start", "stream": -1}'], "invalid_message"),
        (['{"type": "text", "text": "Hello."}'], "no_such_stream"),
        (['{"type": "start", "voice": "nobody"}'], "unknown_voice"),
        (['{"type": "start", "n_vq": 99}'], "invalid_option"),
        (['{"type": "start"}', '{"type": "start"}'], "stream_exists"),
        (['{"type": "start"}', json.dumps({"type": "text", "text": "x" * 20_001})], "text_too_long"),
        (['{"type": "start"}', '{"type": "text", "text": "..."}', '{"type": "end"}'], "invalid_text"),
    ],
)
async def test_a_bad_message_is_answered_and_the_socket_lives(messages: list[str], code: str) -> None:
    """The answer says what is wrong; another stream is spoken as if nothing had been."""
    async with socket() as (connection, _):
        for message in messages:
            await connection.send(message)
        _, answers = await receive(connection, "error")
        assert answers[-1]["code"] == code and answers[-1]["message"]
        await connection.send(b"binary")
        await send(connection, "start", stream=5)
        await send(connection, "text", stream=5, text="Hello.")
        await send(connection, "end", stream=5)
        await receive(connection, "done")


async def test_a_stream_that_cannot_begin_leaves_nothing() -> None:
    """Of a synthesizer that takes no more: the answer says so, and the server can be stopped at once."""
    async with socket() as (connection, synth):
        await synth.close()
        for _ in range(10):
            await send(connection, "start")
            _, answers = await receive(connection, "error")
            assert answers[-1]["code"] == "shutting_down"


async def test_a_client_that_goes_leaves_nothing() -> None:
    """Its streams stop, and their slots are free."""
    engine = FakeEngine(frames_per_segment=10**6, max_streams=1)
    async with served(engine, EngineOptions(max_lead_ms=400)) as (client, synth):
        url = str(client.base_url).replace("http", "ws") + "/v1/speak"
        for how in ("close", "abort"):
            connection = await connect(url, compression=None)
            await send(connection, "start")
            await send(connection, "text", text=TEXT)
            await send(connection, "flush")
            while not isinstance(await connection.recv(), bytes):
                pass
            if how == "close":
                await connection.close()
            else:
                connection.transport.abort()
            while synth.metrics.active:
                await asyncio.sleep(0.001)


async def test_limits_of_a_connection() -> None:
    """A message that is too large and an idle connection end it; a wrong key never opens it."""
    async with socket(max_message_bytes=1024) as (connection, _):
        await connection.send("x" * 2000)
        with pytest.raises(ConnectionClosed):
            await asyncio.wait_for(connection.recv(), HANG_S)
        assert connection.close_code == 1009
    async with socket(idle_s=0.05) as (connection, _):
        with pytest.raises(ConnectionClosed):
            await asyncio.wait_for(connection.recv(), HANG_S)
        assert connection.close_code == 1001
    with pytest.raises(InvalidStatus, match="403"):
        async with socket(api_keys=("long-secret",)):
            pass
    async with socket(query="?api_key=long-secret", api_keys=("long-secret",)) as (connection, _):
        await send(connection, "start")
        await receive(connection, "started")


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        ({}, {"sample_rate": 48_000}),
        ({"channels": 2}, {"sample_rate": 48_000, "channels": 2}),
        ({"sample_rate": 24_000}, {"sample_rate": 24_000}),
        ({"sample_rate": 16_000, "channels": 2}, {"sample_rate": 16_000, "channels": 2}),
    ],
)
async def test_a_stereo_model_over_a_socket(asked: Message, told: Message) -> None:
    """Who asks for nothing gets mono, as ever; `started` says what comes, and that is what comes."""
    async with socket(StereoFake(frames_per_segment=5)) as (connection, _):
        await send(connection, "start", **asked)
        await send(connection, "text", text="Hello.", end=True)
        packets, messages = await receive(connection, "done")
    started = messages[0]
    assert started.pop("expected_rtf") < 1 and started == {"type": "started", "stream": 0, **told}
    rate, channels = told["sample_rate"], told.get("channels", 1)
    samples = as_samples(b"".join(packet.pcm for packet in packets), channels).reshape(-1, channels)
    assert len(samples) == pytest.approx(0.4 * rate, abs=2)
    assert is_tone(samples[:, 0], rate, TONE_PEAK / (1 if channels == 2 else 2))
    assert channels == 1 or is_silent(samples[:, 1])


async def test_a_mono_model_is_what_it_was() -> None:
    """Message by message, also for a client that would play stereo."""
    for asked in ({}, {"channels": 2}):
        async with socket(FakeEngine(frames_per_segment=2)) as (connection, _):
            await send(connection, "start", **asked)
            await send(connection, "text", text="Hello.", end=True)
            packets, messages = await receive(connection, "done")
        assert set(messages[0]) == {"type", "stream", "sample_rate", "expected_rtf"}
        assert messages[0]["sample_rate"] == 24_000
        assert [len(packet.pcm) for packet in packets] == [3840, 3840]


async def test_a_stream_in_the_encoding_of_telephones() -> None:
    """As `start` asked; `started` says so."""
    asked = {"encoding": "pcm_mulaw", "sample_rate": 8000}
    async with socket(FakeEngine(frames_per_segment=5)) as (connection, _):
        await send(connection, "start", **asked)
        await send(connection, "text", text="Hello.", end=True)
        data, messages = b"", [json.loads(await connection.recv())]
        while messages[-1]["type"] != "done":
            message = await connection.recv()
            if isinstance(message, bytes):
                data += unpack(message, "pcm_mulaw").pcm
            else:
                messages.append(json.loads(message))
    assert asked.items() <= messages[0].items()
    assert len(data) == pytest.approx(5 * 640, abs=8)
