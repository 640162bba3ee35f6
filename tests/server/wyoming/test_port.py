from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from typing import Any

import numpy as np
import pytest
from fakes import FakeEngine, StereoFake, synthesizer_on
from limits import HANG_S
from web import idle

from moss_stream import ConfigError, EngineOptions, StreamingSynthesizer, Voice
from moss_stream.server.app import create_app
from moss_stream.server.settings import ServerSettings
from moss_stream.server.state import state_of
from moss_stream.server.wyoming.frames import pack_event
from moss_stream.server.wyoming.port import WyomingPort, wyoming_address

FRAME = 3840


class Client:
    """A connection of Home Assistant's."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    def send(self, kind: str, **data: Any) -> None:
        self.writer.write(pack_event(kind, data))

    async def event(self) -> tuple[str, dict[str, Any], bytes]:
        header = json.loads(await asyncio.wait_for(self.reader.readline(), HANG_S))
        data = await self.reader.readexactly(header.get("data_length", 0))
        payload = await self.reader.readexactly(header.get("payload_length", 0))
        return header["type"], json.loads(data or b"{}"), payload

    async def until(self, kind: str) -> tuple[list[str], bytes]:
        """All that comes up to an event: kinds, and audio."""
        kinds, audio = list[str](), b""
        while not kinds or kinds[-1] != kind:
            name, _, payload = await self.event()
            kinds += [name] if name != "audio-chunk" or kinds[-1:] != ["audio-chunk"] else []
            audio += payload
        return kinds, audio


@contextlib.asynccontextmanager
async def client(
    engine: FakeEngine | None = None, options: EngineOptions | None = None, **settings: Any
) -> AsyncIterator[tuple[Client, StreamingSynthesizer]]:
    async with await synthesizer_on(engine or FakeEngine(frames_per_segment=5), options) as synth:
        listener = WyomingPort(state_of(create_app(synth, ServerSettings(**settings))))
        port = await listener.listen("127.0.0.1", 0)
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        yield Client(reader, writer), synth
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()
        await listener.aclose()


async def test_it_says_which_voices_there_are() -> None:
    """Those of the model, and that text may come in pieces."""
    engine = FakeEngine(voices={"anna": Voice(np.zeros((9, 4), np.int64), "anna", "Low.")})
    async with client(engine) as (home, _):
        home.send("describe")
        kind, data, _ = await home.event()
    (program,) = data["tts"]
    assert kind == "info" and program["supports_synthesize_streaming"] and data["asr"] == []
    (voice,) = program["voices"]
    assert voice["name"] == "anna" and voice["installed"] and "en" in voice["languages"]


@pytest.mark.parametrize("is_stereo", [False, True])
async def test_a_text_at_once(is_stereo: bool) -> None:
    """Audio at the model's rate, mono; two texts after another on one connection, in order."""
    async with client(StereoFake(frames_per_segment=5) if is_stereo else None) as (home, synth):
        for _ in range(2):
            home.send("synthesize", text="Hello there.", voice={"language": "en"})
        for _ in range(2):
            kind, form, _ = await home.event()
            assert kind == "audio-start" and form == {
                "rate": synth.info.sample_rate,
                "width": 2,
                "channels": 1,
            }
            kinds, audio = await home.until("audio-stop")
            assert kinds == ["audio-chunk", "audio-stop"]
            assert len(audio) == 5 * FRAME * (2 if is_stereo else 1)


async def test_a_text_in_pieces() -> None:
    """It is spoken as it comes; the whole text, which is sent for servers that take no pieces, is not."""
    engine = FakeEngine(frames_per_segment=5)
    async with client(engine) as (home, _):
        home.send("synthesize-start", voice={"name": "default"})
        home.send("synthesize-chunk", text="Hello there. ")
        kinds, _ = await home.until("audio-chunk")
        assert kinds == ["audio-start", "audio-chunk"]
        home.send("synthesize-chunk", text="And you. ")
        home.send("synthesize", text="Hello there. And you. ")
        home.send("synthesize-stop")
        kinds, _ = await home.until("synthesize-stopped")
        assert kinds[-2:] == ["audio-stop", "synthesize-stopped"] and kinds.count("audio-stop") == 1
    assert engine.texts()[-1].replace(" ", "") == "Hellothere.Andyou."


async def test_other_events() -> None:
    """A ping is answered; what is not known is passed over."""
    async with client() as (home, _):
        home.send("select-program", name="moss-stream")
        home.writer.write(pack_event("audio-chunk", {"rate": 16_000}, b"\0" * 640))
        home.send("synthesize-stop")
        home.send("ping", text="here")
        assert await home.event() == ("pong", {"text": "here"}, b"")


@pytest.mark.parametrize(
    ("data", "code"),
    [
        ({"text": "..."}, "invalid_text"),
        ({"text": "Hello.", "voice": {"name": "nobody"}}, "unknown_voice"),
        ({"text": "x" * 101}, "text_too_long"),
        ({"text": 7}, "invalid_message"),
    ],
)
@pytest.mark.parametrize("in_pieces", [False, True])
async def test_what_cannot_be_spoken_is_told_and_the_connection_lives(
    data: dict[str, Any], code: str, in_pieces: bool
) -> None:
    """The client does not wait for audio that will not come; the next text is spoken."""
    async with client(max_text_chars=100) as (home, _):
        if in_pieces:
            home.send("synthesize-start", voice=data.get("voice", {}))
            home.send("synthesize-chunk", text=data["text"])
            home.send("synthesize-stop")
        else:
            home.send("synthesize", **data)
        kind, told, _ = await home.event()
        assert kind == "error" and told["code"] == code and told["text"]
        home.send("synthesize", text="Hello.")
        kinds, audio = await home.until("audio-start")
        kinds, audio = await home.until("audio-stop")
        assert len(audio) == 5 * FRAME


@pytest.mark.parametrize("data", [b"no json\n", b'{"type": "a", "data_length": 99999999}\n'])
async def test_what_cannot_be_read_ends_the_connection(data: bytes) -> None:
    """After the reason."""
    async with client() as (home, _):
        home.writer.write(data)
        assert (await home.event())[0] == "error"
        assert await home.reader.read() == b""


async def test_a_client_that_goes_stops_the_model() -> None:
    """Its slot is free."""
    engine = FakeEngine(frames_per_segment=10**6)
    async with client(engine, EngineOptions(max_lead_ms=400)) as (home, synth):
        home.send("synthesize", text="A long story.")
        await home.until("audio-chunk")
        home.writer.close()
        await idle(synth)
        assert synth.metrics.ended == {"cancelled": 1}


async def test_an_idle_connection_is_closed() -> None:
    """One that asks for nothing keeps no place."""
    async with client(idle_s=0.05) as (home, _):
        assert await asyncio.wait_for(home.reader.read(), HANG_S) == b""


async def test_connections_have_places_like_all_others() -> None:
    """The one that is idle makes room."""
    async with client(max_connections=1) as (home, _):
        port = home.writer.get_extra_info("peername")[1]
        home.send("ping", text="")
        await home.event()
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        second = Client(reader, writer)
        second.send("ping", text="")
        assert (await second.event())[0] == "pong"
        assert await asyncio.wait_for(home.reader.read(), HANG_S) == b""
        writer.close()
        await writer.wait_closed()


@pytest.mark.parametrize(
    ("uri", "part"),
    [
        ("http://127.0.0.1:1", "tcp://"),
        ("tcp://127.0.0.1", "tcp://"),
        ("tcp://a:b", "tcp://"),
        ("tcp://0.0.0.0:1", "keys"),
    ],
)
def test_a_bad_address_is_refused(uri: str, part: str) -> None:
    """Also one that would let strangers in, unless that is wanted."""
    with pytest.raises(ConfigError, match=part):
        wyoming_address(uri, ServerSettings())
    assert wyoming_address("tcp://0.0.0.0:10200", ServerSettings(is_open=True)) == ("0.0.0.0", 10_200)
    assert wyoming_address("tcp://127.0.0.1:0", ServerSettings()) == ("127.0.0.1", 0)
