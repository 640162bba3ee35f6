"""Deepgram's SDK, and the services of Pipecat and LiveKit for it, unmodified, against our server."""

from __future__ import annotations

import asyncio

import aiohttp
import pytest
from conftest import Server
from deepgram import AsyncDeepgramClient, DeepgramClient
from deepgram.core.api_error import ApiError
from deepgram.environment import DeepgramClientEnvironment
from deepgram.speak.v1.types import SpeakV1Text
from livekit.plugins import deepgram as livekit_deepgram
from pipecat.frames.frames import InterruptionFrame, TTSAudioRawFrame, TTSStoppedFrame
from pipecat.services.deepgram.tts import DeepgramHttpTTSService, DeepgramTTSService
from pipecat.tests.utils import SleepFrame, run_test
from test_pipecat import TEXT, answer

VOICE = "aura-2-thalia-en"


@pytest.fixture
def environment(server: Server) -> DeepgramClientEnvironment:
    """Another address."""
    http, ws = f"http://{server.address}", f"ws://{server.address}"
    return DeepgramClientEnvironment(base=http, production=ws, agent=ws, agent_rest=http)


def test_files(environment: DeepgramClientEnvironment) -> None:
    """MP3, and samples for a telephone."""
    client = DeepgramClient(api_key="any", environment=environment)
    assert len(b"".join(client.speak.v1.audio.generate(text=TEXT, model=VOICE))) > 8000
    telephone = {"encoding": "mulaw", "container": "none", "sample_rate": 8000}
    assert 1.0 < len(b"".join(client.speak.v1.audio.generate(text=TEXT, **telephone))) / 8000 < 6.0
    with pytest.raises(ApiError) as caught:
        b"".join(client.speak.v1.audio.generate(text="..."))
    assert caught.value.status_code == 400


async def test_a_socket(environment: DeepgramClientEnvironment) -> None:
    """A text, flushed, and a second one that is cleared."""
    client = AsyncDeepgramClient(api_key="any", environment=environment)
    async with client.speak.v1.connect(model=VOICE, encoding="linear16", sample_rate="16000") as socket:
        for word in TEXT.split(" "):
            await socket.send_text(SpeakV1Text(text=word + " "))
        await socket.send_flush()
        num_bytes, kinds = 0, []
        while "Flushed" not in kinds:
            message = await socket.recv()
            if isinstance(message, bytes):
                num_bytes += len(message)
            else:
                kinds.append(message.type)
        assert kinds == ["Metadata", "Flushed"] and 1.0 < num_bytes / 32_000 < 6.0
        await socket.send_text(SpeakV1Text(text="A very long answer that nobody wants to hear. " * 5))
        await socket.send_clear()
        while isinstance(message := await socket.recv(), bytes):
            pass
        assert message.type == "Cleared"
        await socket.send_close()


async def test_pipecat(server: Server) -> None:
    """An answer over a socket and over HTTP; an interruption frees the slot, and the next one is spoken."""
    before = server.count('moss_streams_ended_total{how="cancelled"}')
    settings = DeepgramTTSService.Settings(voice=VOICE)
    tts = DeepgramTTSService(api_key="any", base_url=f"ws://{server.address}", settings=settings)
    long = "A very long answer that nobody wants to hear to its end. " * 10
    frames = [
        *answer(long),
        SleepFrame(1.0),
        InterruptionFrame(),
        SleepFrame(0.5),
        *answer(TEXT),
        SleepFrame(5.0),
    ]
    down, _ = await run_test(tts, frames_to_send=frames)
    assert server.count('moss_streams_ended_total{how="cancelled"}') == before + 1
    cut = next(index for index, frame in enumerate(down) if isinstance(frame, InterruptionFrame))
    audio = [frame for frame in down[cut:] if isinstance(frame, TTSAudioRawFrame)]
    assert 1.0 < sum(len(frame.audio) for frame in audio) / 2 / audio[0].sample_rate < 6.0
    assert any(isinstance(frame, TTSStoppedFrame) for frame in down[cut:])
    async with aiohttp.ClientSession() as session:
        http = DeepgramHttpTTSService(
            api_key="any",
            base_url=f"http://{server.address}",
            aiohttp_session=session,
            settings=DeepgramHttpTTSService.Settings(voice=VOICE),
        )
        down, _ = await run_test(http, frames_to_send=[*answer(TEXT), SleepFrame(3.0)])
    assert sum(len(frame.audio) for frame in down if isinstance(frame, TTSAudioRawFrame)) > 48_000


async def test_livekit(server: Server) -> None:
    """Two turns on one socket, and one request."""
    async with aiohttp.ClientSession() as session:
        tts = livekit_deepgram.TTS(
            api_key="any", base_url=f"http://{server.address}/v1/speak", http_session=session
        )
        for _ in range(2):
            async with tts.stream() as stream:
                stream.push_text(TEXT)
                stream.end_input()
                assert 1.0 < sum([event.frame.duration async for event in stream]) < 6.0
        assert 1.0 < (await tts.synthesize(TEXT).collect()).duration < 6.0
        await tts.aclose()
    while server.count("moss_streams_active"):
        await asyncio.sleep(0.02)
