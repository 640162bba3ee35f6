from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
from fakes import TONE_PEAK, StereoFake, is_silent, is_tone, synthesizer_on
from moss_stream.adapters.websocket import WebSocketSink
from websockets.asyncio.client import ClientConnection, connect
from websockets.asyncio.server import ServerConnection, serve

from moss_stream import ConfigError, SinkError, play
from moss_stream.audio import as_samples
from moss_stream.formats.pcm import Encoding
from moss_stream.wire import Packet, unpack
from tests.sinks.test_sink import chunk, expected, speech


@contextlib.asynccontextmanager
async def sockets() -> AsyncIterator[tuple[ServerConnection, ClientConnection]]:
    """Both ends of a real connection on loopback."""
    here: asyncio.Future[ServerConnection] = asyncio.get_running_loop().create_future()

    async def handle(connection: ServerConnection) -> None:
        here.set_result(connection)
        await connection.wait_closed()

    async with serve(handle, "127.0.0.1", 0, compression=None) as server:
        port = server.sockets[0].getsockname()[1]
        async with connect(f"ws://127.0.0.1:{port}", compression=None) as there:
            yield await here, there


async def received(there: ClientConnection, count: int) -> list[Any]:
    """The next messages, audio unpacked and JSON read."""
    messages = [await there.recv() for _ in range(count)]
    return [unpack(m) if isinstance(m, bytes) else json.loads(m) for m in messages]


async def test_the_peer_gets_every_sample_in_order() -> None:
    """Binary messages carry the stream, where they belong, and all of the PCM."""
    async with sockets() as (here, there):
        sink = WebSocketSink(here, stream=7)
        playing = play(speech(3), sink)
        started, *packets = await received(there, 4)
        sink.played(0.24)
        assert (await playing).played_s == pytest.approx(0.24)
        await sink.aclose()
    assert all(isinstance(packet, Packet) and packet.stream == 7 for packet in packets)
    assert b"".join(packet.pcm for packet in packets) == expected(3)
    assert [packet.start_ms for packet in packets] == [0, 80, 160]
    assert started == {"type": "started", "stream": 7, "sample_rate": 24_000, "expected_rtf": None}


async def test_clearing_tells_the_peer_which_audio_is_dead() -> None:
    """What was sent before has an older generation than what comes after."""
    now_s = 0.0
    async with sockets() as (here, there):
        sink = WebSocketSink(here, clock=lambda: now_s)
        await sink.write(chunk(0))
        await sink.write(chunk(1))
        _, *first = await received(there, 3)
        now_s = 0.1
        assert sink.position_s == pytest.approx(0.1), "in real time, until the peer says otherwise"
        report = await sink.clear()
        assert report.played_s == pytest.approx(0.1) and report.dropped_s == pytest.approx(0.06)
        await sink.write(chunk(2))
        control, _, after = await received(there, 3)
        await sink.aclose()
    assert control == {"type": "clear", "stream": 0, "generation": 1}
    assert [packet.generation for packet in [*first, after]] == [0, 0, 1]
    assert sink.position_s == pytest.approx(0.1)


async def test_the_peer_knows_best_what_it_played() -> None:
    """Reports count, never more than was sent, and never backwards."""
    async with sockets() as (here, there):
        sink = WebSocketSink(here, clock=lambda: 0.0)
        for index in range(3):
            await sink.write(chunk(index))
        await received(there, 4)
        for seconds, wanted in ((0.1, 0.1), (0.05, 0.1), (9.0, 0.24)):
            sink.played(seconds)
            assert sink.position_s == pytest.approx(wanted)
        await sink.aclose()


class Stuck:
    """A peer that takes nothing until it may."""

    def __init__(self) -> None:
        self.may_take = asyncio.Event()
        self.sent: list[str | bytes] = []

    async def send(self, message: str | bytes) -> None:
        await self.may_take.wait()
        self.sent.append(message)


async def test_a_stuck_peer_holds_up_its_own_stream_only() -> None:
    """The queue is bounded, and clearing works while the peer takes nothing."""
    peer = Stuck()
    sink = WebSocketSink(peer, max_queue_s=0.2)
    for index in range(3):
        await sink.write(chunk(index))
    writing = asyncio.create_task(sink.write(chunk(3)))
    for _ in range(5):
        await asyncio.sleep(0)
    assert not writing.done() and peer.sent == []
    await sink.clear()
    await writing
    peer.may_take.set()
    await sink.write(chunk(5))
    await sink.flush()
    kinds = [unpack(m).generation if isinstance(m, bytes) else json.loads(m)["type"] for m in peer.sent]
    assert kinds == ["started", "clear", "started", 1], "what waited while it was cleared is never sent"
    assert unpack(peer.sent[-1]).start_ms == 400  # type: ignore[arg-type]
    await sink.aclose()


async def test_a_paused_sink_sends_no_audio() -> None:
    """What is queued goes out when it is resumed; control messages do not wait."""
    peer = Stuck()
    peer.may_take.set()
    sink = WebSocketSink(peer)
    sink.pause()
    await sink.write(chunk(0))
    for _ in range(5):
        await asyncio.sleep(0)
    assert [message for message in peer.sent if isinstance(message, bytes)] == []
    sink.resume()
    while len(peer.sent) < 2:
        await asyncio.sleep(0)
    await sink.aclose()


async def test_a_closed_connection_is_a_sink_error() -> None:
    """Whoever waits is told, and so is whoever writes afterwards."""
    async with sockets() as (here, there):
        sink = WebSocketSink(here, max_queue_s=0.0)
        await sink.write(chunk(0))
        await received(there, 1)
        await there.close()
        await here.wait_closed()
        with pytest.raises(SinkError, match="WebSocket is closed"):
            for index in range(10):
                await sink.write(chunk(index))
        with pytest.raises(SinkError):
            await sink.flush()
        await sink.aclose()


@pytest.mark.parametrize("stream", [-1, 2**32, 2**64])
async def test_a_number_that_no_header_holds_is_refused_at_once(stream: int) -> None:
    """Not with the first chunk, as if the connection had broken."""
    with pytest.raises(ConfigError, match="header"):
        WebSocketSink(Stuck(), stream=stream)


async def test_the_peer_is_told_how_fast_the_machine_is() -> None:
    """Before the audio of each utterance, and when a player must do something else."""
    peer = Stuck()
    peer.may_take.set()
    sink = WebSocketSink(peer)
    for rtf in (1.3, 1.32, 0.9, 0.8):
        await sink.write(dataclasses.replace(chunk(0), rtf=rtf))
    sink.played(1.0)
    await sink.flush()
    await sink.write(chunk(1))
    while len(peer.sent) < 8:
        await asyncio.sleep(0)
    await sink.aclose()
    told = [json.loads(message) for message in peer.sent if isinstance(message, str)]
    assert [(each["type"], each["expected_rtf"]) for each in told] == [
        ("started", 1.3),
        ("speed", 0.9),
        ("started", None),
    ]
    assert isinstance(peer.sent[0], str), "before the audio"


async def test_a_stereo_stream_says_so() -> None:
    """`started` has its rate and channels; a sink for mono peers gets it mixed, or refuses it."""
    async with await synthesizer_on(StereoFake(frames_per_segment=5)) as synth:
        for options, wanted, peak in (
            ({}, {"sample_rate": 48_000, "channels": 2}, TONE_PEAK),
            ({"sample_rate": 24_000, "channels": 1}, {"sample_rate": 24_000}, TONE_PEAK / 2),
        ):
            peer = Stuck()
            peer.may_take.set()
            sink = WebSocketSink(peer, **options)
            await play(synth.stream("Hello."), sink)
            await sink.aclose()
            started = json.loads(peer.sent[0])
            assert started.pop("expected_rtf") < 1
            assert started == {"type": "started", "stream": 0} | wanted
            pcm = b"".join(unpack(each).pcm for each in peer.sent if isinstance(each, bytes))
            samples = as_samples(pcm, wanted.get("channels", 1)).reshape(-1, wanted.get("channels", 1))
            assert is_tone(samples[:, 0], wanted["sample_rate"], peak)
            assert samples.shape[1] == 1 or is_silent(samples[:, 1])
        with pytest.raises(SinkError, match="takes mono, and this chunk is stereo"):
            async for each in synth.stream("Hello."):
                await WebSocketSink(Stuck(), channels=1).write(each)


@pytest.mark.parametrize(
    ("encoding", "rate", "num_bytes"), [("pcm_mulaw", 8000, 640), ("pcm_f32le", 48_000, 4 * 3840)]
)
async def test_a_peer_gets_the_encoding_and_rate_that_it_takes(
    encoding: Encoding, rate: int, num_bytes: int
) -> None:
    """A telephone's, or an audio graph's; `started` names what is not int16."""
    async with sockets() as (here, there):
        sink = WebSocketSink(here, sample_rate=rate, channels=1, encoding=encoding)
        playing = play(speech(3), sink)
        started = json.loads(await there.recv())
        assert (started["encoding"], started["sample_rate"]) == (encoding, rate)
        data = b""
        while len(data) < 3 * num_bytes - 32:
            message = await there.recv()
            assert isinstance(message, bytes)
            data += unpack(message, encoding).pcm
        sink.played(1.0)
        await playing
        await sink.aclose()
    assert len(data) == pytest.approx(3 * num_bytes, abs=32)


async def test_an_encoding_that_is_none_is_refused() -> None:
    """With those there are."""
    async with sockets() as (here, _):
        with pytest.raises(ConfigError, match="pcm_mulaw"):
            WebSocketSink(here, encoding="gsm")
