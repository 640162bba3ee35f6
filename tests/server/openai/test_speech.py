from __future__ import annotations

import asyncio
import base64
import contextlib
import io
import json
import threading
from typing import Any

import av
import numpy as np
import pytest
from fakes import LOUD, TONE_PEAK, FakeEngine, IncrementalFake, StereoFake, is_silent, is_tone, synthesizer_on
from limits import HANG_S
from web import served
from websockets.asyncio.client import connect

from moss_stream import EngineOptions, StreamingSynthesizer
from moss_stream.server.app import create_app
from moss_stream.server.settings import ServerSettings

PATH = "/v1/audio/speech"
MEDIA_TYPES = {
    "pcm": "audio/pcm",
    "wav": "audio/wav",
    "flac": "audio/flac",
    "mp3": "audio/mpeg",
    "opus": "audio/ogg",
    "aac": "audio/aac",
}
TEXT = "This is a sentence of average length."


async def test_a_text_is_spoken_in_each_format() -> None:
    """The media type is the format's; the samples are those of the engine."""
    async with served(FakeEngine(frames_per_segment=5)) as (client, _):
        for name, media_type in MEDIA_TYPES.items():
            answer = await client.post(PATH, json={"input": TEXT, "response_format": name})
            assert answer.status_code == 200 and answer.headers["content-type"].startswith(media_type)
            assert len(answer.content) > 100
        pcm = (await client.post(PATH, json={"input": TEXT, "response_format": "pcm"})).content
    samples = np.frombuffer(pcm, dtype="<i2")
    assert len(samples) == 5 * 1920 and (samples[1919::1920] == LOUD).all()


async def test_bytes_come_with_the_first_frame() -> None:
    """The recording begins to arrive while its rest is not made."""
    gate = threading.Semaphore(1)
    async with served(FakeEngine(gate=gate, frames_per_segment=5)) as (client, _):
        body = {"input": TEXT, "response_format": "pcm"}
        async with client.stream("POST", PATH, json=body) as answer:
            parts = answer.aiter_bytes()
            first = await anext(parts)
            assert len(first) == 3840
            gate.release(100)
            assert sum([len(part) async for part in parts]) == 4 * 3840


async def test_closing_the_connection_stops_the_model() -> None:
    """The slot is free within a frame, and the next client is served."""
    engine = FakeEngine(frames_per_segment=10**6, max_streams=1)
    options = EngineOptions(max_lead_ms=400)
    async with served(engine, options) as (client, synth):
        body = {"input": "word " * 50, "response_format": "pcm"}
        async with client.stream("POST", PATH, json=body) as answer:
            await anext(answer.aiter_bytes())
        while synth.metrics.active:
            await asyncio.sleep(0.001)
        engine.frames_per_segment = 2
        assert (await client.post(PATH, json=body)).status_code == 200


async def test_events_carry_the_audio() -> None:
    """With `sse` each event is a part of the recording; the last one says how much there was."""
    async with served(FakeEngine(frames_per_segment=5)) as (client, _):
        body = {"input": TEXT, "response_format": "pcm", "stream_format": "sse"}
        answer = await client.post(PATH, json=body)
    lines = [line.removeprefix("data: ") for line in answer.text.splitlines() if line]
    assert answer.headers["content-type"].startswith("text/event-stream") and lines[-1] == "[DONE]"
    events = [json.loads(line) for line in lines[:-1]]
    assert sum(len(base64.b64decode(event["audio"])) for event in events[:-1]) == 5 * 3840
    assert events[-1]["type"] == "speech.audio.done" and events[-1]["usage"]["output_tokens"] == 5


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({"input": " ... "}, 400, "invalid_text"),
        ({"input": "x" * 101}, 400, "text_too_long"),
        ({"input": TEXT, "voice": "nobody"}, 400, "unknown_voice"),
        ({"input": TEXT, "voice": {"id": "nobody"}}, 400, "unknown_voice"),
        ({"input": TEXT, "speed": 5.0}, 400, "invalid_request"),
        ({"input": TEXT, "response_format": "opus", "sample_rate": 22_050}, 400, "invalid_option"),
        ({"input": TEXT, "n_vq": 99}, 400, "invalid_option"),
        ({"input": TEXT, "response_format": "midi"}, 400, "invalid_request"),
        ({"input": TEXT, "sampling": {"audio": {"temperature": -1}}}, 400, "invalid_request"),
        ({}, 400, "invalid_request"),
        ([], 400, "invalid_request"),
    ],
)
async def test_a_bad_request_is_told_what_is_wrong(body: object, status: int, code: str) -> None:
    """In OpenAI's shape, before any audio, and the next request is served."""
    async with served(max_text_chars=100) as (client, _):
        answer = await client.post(PATH, json=body)
        assert answer.status_code == status
        error = answer.json()["error"]
        assert error["code"] == code and error["message"] and error["type"] == "invalid_request_error"
        assert (await client.post(PATH, json={"input": TEXT, "voice": "alloy"})).status_code == 200


async def test_overload_is_refused_before_audio_begins() -> None:
    """503 with a time to try again; who speaks is not disturbed. A key has so many streams and no more."""
    engine = FakeEngine(frames_per_segment=10**6, max_streams=1)
    options = EngineOptions(max_queue=0, max_lead_ms=400)
    body = {"input": "word " * 50, "response_format": "pcm"}
    for settings, status, code in (
        ({}, 503, "overloaded"),
        ({"streams_per_key": 1}, 429, "too_many_streams"),
    ):
        async with served(engine, options, **settings) as (client, _):
            async with client.stream("POST", PATH, json=body) as answer:
                parts = answer.aiter_bytes()
                await anext(parts)
                refused = await client.post(PATH, json=body)
                assert refused.status_code == status and refused.headers["retry-after"] == "1"
                assert refused.json()["error"]["code"] == code
                assert await anext(parts)


async def test_who_waits_too_long_for_a_slot_is_told_when_to_come_back() -> None:
    """The time follows from what is spoken, over HTTP and on a socket; who speaks is not disturbed."""
    engine = FakeEngine(frames_per_segment=10**6, max_streams=1)
    options = EngineOptions(max_queue=4, max_queue_s=0.1, max_lead_ms=400)
    async with served(engine, options) as (client, _):
        url = str(client.base_url).replace("http", "ws") + "/v1/speak"
        async with connect(url) as speaking, connect(url) as waiting:
            for order in ({"type": "start"}, {"type": "text", "text": TEXT * 20}, {"type": "end"}):
                await speaking.send(json.dumps(order))
            while not isinstance(await speaking.recv(), bytes):
                pass
            refused = await client.post(PATH, json={"input": TEXT})
            assert refused.status_code == 503 and refused.json()["error"]["code"] == "overloaded"
            assert int(refused.headers["retry-after"]) > 1
            await waiting.send('{"type": "start"}')
            while (told := json.loads(await waiting.recv()))["type"] != "error":
                pass
            assert told["code"] == "overloaded" and told["retry_after_s"] > 1
            while not isinstance(await speaking.recv(), bytes):
                pass


async def test_a_failing_device_is_a_server_error() -> None:
    """The message is ours, without a traceback; the server says that it is not ready."""
    async with served(FakeEngine(fail_at=1)) as (client, _):
        answer = await client.post(PATH, json={"input": TEXT})
        assert answer.status_code == 500 and answer.json()["error"]["type"] == "server_error"
        assert "Traceback" not in answer.text
        assert (await client.get("/readyz")).status_code == 503


async def test_a_client_that_is_gone_before_the_answer_begins_holds_nothing() -> None:
    """The first byte cannot be sent: the model stops all the same, and the key has its stream back."""
    engine = FakeEngine(frames_per_segment=10**6)
    body = json.dumps({"input": TEXT * 9, "response_format": "pcm"}).encode()
    async with await synthesizer_on(engine, EngineOptions(max_lead_ms=400)) as synth:
        app = create_app(synth, ServerSettings(streams_per_key=1))
        headers = [(b"content-type", b"application/json")]
        scope: dict[str, object] = {"type": "http", "method": "POST", "path": PATH, "headers": headers}
        scope |= {"query_string": b"", "asgi": {"version": "3.0", "spec_version": "2.4"}}

        async def receive() -> dict[str, object]:
            return {"type": "http.request", "body": body}

        async def send(message: object) -> None:
            raise OSError("gone")

        for _ in range(2):
            with contextlib.suppress(Exception):
                await app(scope, receive, send)
            await asyncio.wait_for(nothing_active(synth), HANG_S)
        assert synth.metrics.ended == {"cancelled": 2}


async def nothing_active(synth: StreamingSynthesizer) -> None:
    while synth.metrics.active:
        await asyncio.sleep(0.001)


async def test_a_stereo_model_in_each_format() -> None:
    """What has a header is 48 kHz stereo, left on the left; "pcm" is 24 kHz mono, as OpenAI defines it."""
    async with served(StereoFake(frames_per_segment=10)) as (client, _):
        made = {
            name: (await client.post(PATH, json={"input": TEXT, "response_format": name})).content
            for name in MEDIA_TYPES
        }
    assert is_tone(np.frombuffer(made.pop("pcm"), dtype="<i2"), 24_000, TONE_PEAK / 2)
    for name, data in made.items():
        with av.open(io.BytesIO(data), "r") as container:
            audio = container.streams.audio[0]
            assert (audio.rate, audio.channels) == (48_000, 2), name
            to_s16: Any = av.AudioResampler(format="s16", layout="stereo", rate=48_000)
            frames = [part for frame in container.decode(audio) for part in to_s16.resample(frame)]
        samples = np.concatenate([frame.to_ndarray() for frame in frames], axis=1).reshape(-1, 2)
        assert len(samples) / 48_000 == pytest.approx(0.8, abs=0.06), name
        assert is_tone(samples[:, 0], 48_000) and is_silent(samples[4800:-4800, 1]), name


BUILT_IN = "alloy ash ballad cedar coral echo fable marin nova onyx sage shimmer verse".split()


@pytest.mark.parametrize(
    "body",
    [
        *({"model": "tts-1", "voice": voice} for voice in BUILT_IN),
        # Open WebUI
        {"model": "tts-1-hd", "voice": "nova"},
        # SillyTavern
        {"model": "tts-1", "voice": "alloy", "response_format": "mp3", "speed": 1},
        {"model": "gpt-4o-mini-tts", "voice": "alloy", "response_format": "mp3", "instructions": "Be calm."},
        # openai, LangChain and LiveKit
        {"model": "gpt-4o-mini-tts", "voice": {"id": "alloy"}, "speed": 1.0, "instructions": ""},
        {"model": "x", "voice": None, "response_format": None, "speed": None, "stream_format": None},
    ],
)
async def test_what_clients_of_openai_send(body: dict[str, object]) -> None:
    """Its models and voices stand for what is loaded; MP3 is what comes."""
    async with served(FakeEngine(frames_per_segment=5)) as (client, _):
        answer = await client.post(PATH, json={"input": TEXT, **body})
    assert answer.status_code == 200 and answer.headers["content-type"] == "audio/mpeg"


async def test_instructions_reach_the_model() -> None:
    """A model that has no place for them refuses them, in OpenAI's shape."""
    engine, body = FakeEngine(), {"input": TEXT, "instructions": "Be calm."}
    async with served(engine) as (client, _):
        assert (await client.post(PATH, json=body)).status_code == 200
    (options,) = [options for kind, options in engine.log if kind == "open"]
    assert options.instruction == "Be calm."  # type: ignore[attr-defined]
    async with served(IncrementalFake()) as (client, _):
        answer = await client.post(PATH, json=body)
    assert answer.status_code == 400 and answer.json()["error"]["code"] == "invalid_option"
    assert "instruction" in answer.json()["error"]["message"]


async def test_other_rates_encodings_and_speeds() -> None:
    """Of what has no header, or can hold it; faster speech is shorter."""
    bodies: dict[str, dict[str, object]] = {
        "mulaw": {"response_format": "pcm", "encoding": "pcm_mulaw", "sample_rate": 8000},
        "float": {"response_format": "wav", "encoding": "pcm_f32le", "sample_rate": 44_100},
        "fast": {"response_format": "pcm", "speed": 2.0},
    }
    async with served(FakeEngine(frames_per_segment=10)) as (client, _):
        made = {
            name: (await client.post(PATH, json={"input": TEXT, **body})).content
            for name, body in bodies.items()
        }
    assert len(made["mulaw"]) == pytest.approx(0.8 * 8000, abs=8)
    assert len(made["float"]) - 44 == pytest.approx(4 * 0.8 * 44_100, abs=64)
    assert len(made["fast"]) == pytest.approx(2 * 0.4 * 24_000, rel=0.05)


async def test_the_models_list_says_how_it_sounds() -> None:
    """So that a page knows what to open before it speaks."""
    async with served(StereoFake()) as (client, _):
        (model,) = (await client.get("/v1/models")).json()["data"]
    assert (model["sample_rate"], model["channels"]) == (48_000, 2)
