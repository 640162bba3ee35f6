"""LiveKit's ElevenLabs plugin, unmodified, against our socket."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import aiohttp
import pytest
from conftest import Server
from livekit.plugins import elevenlabs

TEXT = "Good morning, how are you today?"


@pytest.fixture(params=["mp3_22050_32", "pcm_24000"])
async def tts(server: Server, request: pytest.FixtureRequest) -> AsyncIterator[elevenlabs.TTS]:
    """The plugin with another address, in the format that it takes by default, and in another."""
    async with aiohttp.ClientSession() as session:
        made = elevenlabs.TTS(
            api_key="any",
            base_url=f"http://{server.address}/v1",
            encoding=request.param,
            http_session=session,
        )
        yield made
        await made.aclose()


async def test_text_is_spoken_with_times_of_its_words(tts: elevenlabs.TTS) -> None:
    """Pushed word by word; all audio comes, and every word with its time."""
    words, seconds = [], 0.0
    async with tts.stream() as stream:
        for word in TEXT.split(" "):
            stream.push_text(word + " ")
        stream.end_input()
        async for event in stream:
            seconds += event.frame.duration
            words += event.frame.userdata.get("lk.timed_transcripts", [])
    assert 1.0 < seconds < 6.0
    assert "".join(words).split() == TEXT.split()
    starts = [word.start_time for word in words]
    assert starts == sorted(starts) and 0.3 < starts[-1] < seconds


async def test_a_second_turn_on_the_same_socket(tts: elevenlabs.TTS, server: Server) -> None:
    """Another context; nothing is left behind."""
    for _ in range(2):
        async with tts.stream() as stream:
            stream.push_text(TEXT)
            stream.end_input()
            assert sum([event.frame.duration async for event in stream]) > 1.0
    while server.count("moss_streams_active"):
        await asyncio.sleep(0.02)


async def test_one_request_for_one_text(tts: elevenlabs.TTS) -> None:
    """`synthesize` returns the whole recording; voices are listed."""
    frame = await tts.synthesize(TEXT).collect()
    assert frame.sample_rate == tts.sample_rate and 1.0 < frame.duration < 6.0
    assert "slt" in [voice.id for voice in await tts.list_voices()]
