"""OpenAI's Python client, unmodified, against `/v1/audio/speech`."""

from __future__ import annotations

import asyncio
import io
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Literal

import av
import openai
import pytest
from fakes import FakeEngine
from web import served

from moss_stream import EngineOptions, StreamingSynthesizer

KEY = "a-long-secret-key"
Format = Literal["pcm", "wav", "flac", "mp3", "opus", "aac"]
FORMATS: tuple[Format, ...] = ("pcm", "wav", "flac", "mp3", "opus", "aac")


@asynccontextmanager
async def client(
    engine: FakeEngine, options: EngineOptions | None = None, key: str = KEY
) -> AsyncIterator[tuple[openai.AsyncOpenAI, StreamingSynthesizer]]:
    """Theirs, with nothing but another address."""
    async with served(engine, options, api_keys=(KEY,)) as (plain, synth):
        async with openai.AsyncOpenAI(api_key=key, base_url=f"{plain.base_url}/v1", max_retries=0) as made:
            yield made, synth


def seconds(data: bytes, sound_format: Format) -> float:
    if sound_format == "pcm":
        return len(data) / 48_000
    with av.open(io.BytesIO(data), mode="r") as container:
        samples = [frame.samples / frame.sample_rate for frame in container.decode(audio=0)]
    return float(sum(samples))


@pytest.mark.parametrize("sound_format", FORMATS)
async def test_every_format_is_streamed(sound_format: Format) -> None:
    """The client reads it piece by piece; what it has is a recording of the whole text."""
    async with client(FakeEngine(frames_per_segment=10)) as (theirs, _):
        async with theirs.audio.speech.with_streaming_response.create(
            model="tts-1", voice="alloy", input="Hello there.", response_format=sound_format
        ) as answer:
            data = b"".join([piece async for piece in answer.iter_bytes()])
    assert seconds(data, sound_format) == pytest.approx(0.8, abs=0.15)


async def test_the_whole_recording_at_once() -> None:
    """Without streaming, with fields of this model among theirs."""
    async with client(FakeEngine(frames_per_segment=5)) as (theirs, _):
        answer = await theirs.audio.speech.create(
            model="tts-1", voice="alloy", input="Hello there.", response_format="pcm", extra_body={"n_vq": 2}
        )
    assert len(answer.content) == 5 * 3840


async def test_events_are_what_the_client_expects() -> None:
    """Their newer way of streaming: server-sent events."""
    async with client(FakeEngine(frames_per_segment=5)) as (theirs, _):
        async with theirs.audio.speech.with_streaming_response.create(
            model="tts-1",
            voice="alloy",
            input="Hello there.",
            response_format="pcm",
            stream_format="sse",
        ) as answer:
            lines = [line async for line in answer.iter_lines() if line]
    assert lines[0].startswith('data: {"type": "speech.audio.delta"') and lines[-1] == "data: [DONE]"


async def test_errors_arrive_as_theirs() -> None:
    """The client raises what its users catch, with our words."""
    async with client(FakeEngine()) as (theirs, _):
        with pytest.raises(openai.BadRequestError, match="There is no voice 'nobody'") as caught:
            await theirs.audio.speech.create(model="tts-1", voice="nobody", input="Hello.")
        assert caught.value.code == "unknown_voice" and caught.value.param == "voice"
    async with client(FakeEngine(), key="wrong-secret") as (theirs, _):
        with pytest.raises(openai.AuthenticationError):
            await theirs.audio.speech.create(model="tts-1", voice="alloy", input="Hello.")


async def test_models_are_listed() -> None:
    """A client that looks first finds what speaks."""
    async with client(FakeEngine()) as (theirs, _):
        assert [model.id async for model in theirs.models.list()] == ["moss-stream"]


async def test_leaving_a_stream_stops_the_engine() -> None:
    """A client that closes its answer is not spoken to any more."""
    engine = FakeEngine(frames_per_segment=10**6)
    async with client(engine, EngineOptions(max_lead_ms=400)) as (theirs, synth):
        async with theirs.audio.speech.with_streaming_response.create(
            model="tts-1", voice="alloy", input="Hello there.", response_format="pcm"
        ) as answer:
            await anext(answer.iter_bytes())
            assert synth.metrics.active == 1
        while synth.metrics.active:
            await asyncio.sleep(0.001)
