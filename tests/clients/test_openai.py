"""OpenAI's SDK, and the services of LiveKit and Pipecat for it, unmodified, against our endpoint."""

from __future__ import annotations

import openai
import pytest
from conftest import Server
from livekit.plugins import openai as livekit_openai
from pipecat.frames.frames import TTSAudioRawFrame, TTSStoppedFrame
from pipecat.services.openai.tts import OpenAITTSService
from pipecat.tests.utils import SleepFrame, run_test
from test_pipecat import TEXT, answer


@pytest.fixture
def address(server: Server) -> str:
    """What clients are given."""
    return f"http://{server.address}/v1"


@pytest.mark.parametrize("model", ["tts-1", "gpt-4o-mini-tts"])
def test_sdk(address: str, model: str) -> None:
    """In its formats; faster speech is shorter, and errors are OpenAI's."""
    client = openai.OpenAI(api_key="any", base_url=address)
    speech = client.audio.speech
    assert len(speech.create(model=model, voice="alloy", input=TEXT).content) > 8000
    slow, fast = (
        len(speech.create(model=model, voice="nova", input=TEXT, response_format="pcm", speed=speed).content)
        for speed in (1.0, 2.0)
    )
    assert slow / fast == pytest.approx(2.0, rel=0.05)
    with pytest.raises(openai.BadRequestError) as caught:
        speech.create(model=model, voice="nobody", input=TEXT)
    assert caught.value.code == "unknown_voice"
    assert client.models.list().data[0].id == "moss-stream"


@pytest.mark.parametrize("model", ["tts-1", "gpt-4o-mini-tts"])
async def test_livekit(address: str, model: str) -> None:
    """Audio, or events with audio, by the model's name."""
    tts = livekit_openai.TTS(api_key="any", base_url=address, model=model)
    assert 1.0 < (await tts.synthesize(TEXT).collect()).duration < 6.0
    await tts.aclose()


async def test_pipecat(address: str) -> None:
    """An answer, as PCM."""
    tts = OpenAITTSService(
        api_key="any", base_url=address, settings=OpenAITTSService.Settings(voice="alloy", speed=1.2)
    )
    down, _ = await run_test(tts, frames_to_send=[*answer(TEXT), SleepFrame(3.0)])
    audio = [frame for frame in down if isinstance(frame, TTSAudioRawFrame)]
    assert 1.0 < sum(len(frame.audio) for frame in audio) / 2 / audio[0].sample_rate < 6.0
    assert any(isinstance(frame, TTSStoppedFrame) for frame in down)
