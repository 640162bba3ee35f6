"""Pipecat's ElevenLabs services, unmodified, against our socket and our endpoint."""

from __future__ import annotations

import asyncio

import aiohttp
from conftest import Server
from pipecat.frames.frames import (
    ErrorFrame,
    Frame,
    InterruptionFrame,
    TTSAudioRawFrame,
    TTSStartedFrame,
    TTSStoppedFrame,
    TTSTextFrame,
)
from pipecat.services.elevenlabs.tts import ElevenLabsHttpTTSService, ElevenLabsTTSService
from pipecat.services.tts_service import TTSService
from pipecat.tests.utils import SleepFrame, run_test
from test_pipecat import TEXT, answer

VOICE = "JBFqnCBsd6RMkjVDRZzb"


def service(server: Server) -> ElevenLabsTTSService:
    """The service, with nothing but another address."""
    return ElevenLabsTTSService(
        api_key="any",
        url=f"ws://{server.address}",
        settings=ElevenLabsTTSService.Settings(voice=VOICE),
    )


async def spoken(tts: TTSService) -> list[Frame]:
    """What comes of an answer, checked."""
    down, _ = await run_test(tts, frames_to_send=[*answer(TEXT), SleepFrame(6.0)])
    assert not [frame for frame in down if isinstance(frame, ErrorFrame)]
    kinds = [type(frame) for frame in down]
    assert kinds.index(TTSStartedFrame) < kinds.index(TTSAudioRawFrame) < kinds.index(TTSStoppedFrame)
    audio = [frame for frame in down if isinstance(frame, TTSAudioRawFrame)]
    assert 1.0 < sum(len(frame.audio) for frame in audio) / 2 / audio[0].sample_rate < 6.0
    return down


async def test_an_answer_is_spoken_with_times_of_its_words(server: Server) -> None:
    """Started, audio, every word in its time, stopped; in that order."""
    words = [frame for frame in await spoken(service(server)) if isinstance(frame, TTSTextFrame)]
    assert [frame.text for frame in words] == TEXT.split()
    stamps = [frame.pts for frame in words]
    assert stamps == sorted(stamps) and stamps[-1] - stamps[0] > 300_000_000


async def test_an_answer_over_http(server: Server) -> None:
    """The same words, by requests."""
    async with aiohttp.ClientSession() as session:
        tts = ElevenLabsHttpTTSService(
            api_key="any",
            aiohttp_session=session,
            base_url=f"http://{server.address}",
            settings=ElevenLabsHttpTTSService.Settings(voice=VOICE),
        )
        down = await spoken(tts)
    assert [frame.text for frame in down if isinstance(frame, TTSTextFrame)] == TEXT.split()


async def test_an_interruption_reaches_the_engine(server: Server) -> None:
    """It closes a context that was closed already: the slot is free, and the next answer is spoken."""
    before = server.count('moss_streams_ended_total{how="cancelled"}')
    long = "A very long answer that nobody wants to hear to its end. " * 10
    frames = [
        *answer(long),
        SleepFrame(1.0),
        InterruptionFrame(),
        SleepFrame(0.5),
        *answer(TEXT),
        SleepFrame(5.0),
    ]
    down, _ = await run_test(service(server), frames_to_send=frames)
    assert server.count('moss_streams_ended_total{how="cancelled"}') == before + 1
    cut = next(index for index, frame in enumerate(down) if isinstance(frame, InterruptionFrame))
    assert [frame.text for frame in down[cut:] if isinstance(frame, TTSTextFrame)] == TEXT.split()
    while server.count("moss_streams_active"):
        await asyncio.sleep(0.02)
