"""LiveKit's Cartesia plugin, unmodified, against our socket."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import aiohttp
import pytest
from conftest import Server
from livekit.plugins import cartesia

TEXT = "Good morning, how are you today?"


@pytest.fixture
async def tts(server: Server) -> AsyncIterator[cartesia.TTS]:
    """The plugin, with nothing but another address."""
    async with aiohttp.ClientSession() as session:
        made = cartesia.TTS(api_key="any", base_url=f"http://{server.address}", http_session=session)
        yield made
        await made.aclose()


async def test_text_is_spoken_with_times_of_its_words(tts: cartesia.TTS) -> None:
    """Pushed word by word; all audio comes, and every word with its time."""
    words, seconds, peak = [], 0.0, 0
    async with tts.stream() as stream:
        for word in TEXT.split(" "):
            stream.push_text(word + " ")
        stream.end_input()
        async for event in stream:
            seconds += event.frame.duration
            peak = max(peak, *map(abs, event.frame.data))
            words += event.frame.userdata.get("lk.timed_transcripts", [])
    assert 1.0 < seconds < 6.0 and peak > 3000
    assert "".join(words).split() == TEXT.split()
    starts = [word.start_time for word in words]
    assert starts == sorted(starts) and 0.3 < starts[-1] < seconds


async def test_leaving_a_stream_stops_the_engine(tts: cartesia.TTS, server: Server) -> None:
    """A barge-in: the plugin drops its socket without closing it, and pings find out within ten seconds."""
    before = server.count('moss_streams_ended_total{how="cancelled"}')
    async with tts.stream() as stream:
        stream.push_text("A very long answer that nobody wants to hear to its end. " * 20)
        stream.end_input()
        await anext(aiter(stream))
    while server.count("moss_streams_active"):
        await asyncio.sleep(0.02)
    assert server.count('moss_streams_ended_total{how="cancelled"}') == before + 1


async def test_one_request_for_one_text(tts: cartesia.TTS) -> None:
    """`synthesize` returns the whole recording."""
    frame = await tts.synthesize(TEXT).collect()
    assert frame.sample_rate == 24_000 and 1.0 < frame.duration < 6.0
