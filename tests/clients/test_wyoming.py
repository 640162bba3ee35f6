"""The Wyoming package's own client and events, as Home Assistant uses them, against our port."""

from __future__ import annotations

import asyncio

import pytest
from conftest import Server
from wyoming.audio import AudioChunk, AudioStart, AudioStop
from wyoming.client import AsyncTcpClient
from wyoming.error import Error
from wyoming.event import Event
from wyoming.info import Describe, Info
from wyoming.tts import (
    Synthesize,
    SynthesizeChunk,
    SynthesizeStart,
    SynthesizeStop,
    SynthesizeStopped,
    SynthesizeVoice,
)

TEXT = "Good morning, how are you today?"


@pytest.fixture
def home(server: Server) -> AsyncTcpClient:
    """Home Assistant's client."""
    host, _, port = server.wyoming.partition(":")
    return AsyncTcpClient(host, int(port), read_timeout=60)


async def until(home: AsyncTcpClient, kind: type) -> tuple[list[Event], float]:
    """All events up to one of a kind, and the seconds of audio in them."""
    events, seconds = [], 0.0
    while not events or not kind.is_type(events[-1].type):
        event = await home.read_event()
        assert event is not None
        events.append(event)
        if AudioChunk.is_type(event.type):
            seconds += AudioChunk.from_event(event).seconds
    return events, seconds


async def test_voices(home: AsyncTcpClient) -> None:
    """As the integration lists them."""
    async with home:
        await home.write_event(Describe().event())
        (event,), _ = await until(home, Info)
    (program,) = Info.from_event(event).tts
    assert program.installed and program.supports_synthesize_streaming
    assert {voice.name for voice in program.voices} >= {"slt"} and "en" in program.voices[0].languages


async def test_a_text(home: AsyncTcpClient) -> None:
    """At once, with a voice."""
    async with home:
        await home.write_event(Synthesize(TEXT, voice=SynthesizeVoice(name="slt")).event())
        events, seconds = await until(home, AudioStop)
    assert AudioStart.is_type(events[0].type) and AudioStart.from_event(events[0]).rate == 24_000
    assert 1.0 < seconds < 6.0


async def test_a_text_in_pieces(home: AsyncTcpClient) -> None:
    """As a conversation agent writes it."""
    async with home:
        await home.write_event(SynthesizeStart(voice=SynthesizeVoice(name="slt")).event())
        for word in TEXT.split(" "):
            await home.write_event(SynthesizeChunk(word + " ").event())
        await home.write_event(Synthesize(TEXT).event())
        await home.write_event(SynthesizeStop().event())
        _, seconds = await until(home, SynthesizeStopped)
    assert 1.0 < seconds < 6.0


async def test_errors_and_a_client_that_goes(home: AsyncTcpClient, server: Server) -> None:
    """It is told what is wrong; the slot of a client that has gone is free."""
    before = server.count('moss_streams_ended_total{how="cancelled"}')
    async with home:
        await home.write_event(Synthesize("Yes.", voice=SynthesizeVoice(name="nobody")).event())
        (event,), _ = await until(home, Error)
        assert Error.from_event(event).code == "unknown_voice"
        await until(home, AudioStop)
        await home.write_event(Synthesize("A very long answer that nobody hears to its end. " * 10).event())
        await until(home, AudioChunk)
    while server.count("moss_streams_active"):
        await asyncio.sleep(0.02)
    assert server.count('moss_streams_ended_total{how="cancelled"}') == before + 1
