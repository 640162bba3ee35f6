from __future__ import annotations

import asyncio
import base64
import contextlib
import json
from collections.abc import AsyncIterator
from typing import Any

import numpy as np
import pytest
from fakes import TONE_PEAK, FakeEngine, StereoFake, is_tone
from limits import HANG_S
from web import idle, served
from websockets.asyncio.client import ClientConnection, connect

from moss_stream import EngineOptions, StreamingSynthesizer

Message = dict[str, Any]
ORDER: Message = {
    "model_id": "sonic-2",
    "voice": {"mode": "id", "id": "some-id-of-theirs"},
    "language": "en",
    "output_format": {"container": "raw", "encoding": "pcm_s16le", "sample_rate": 24_000},
    "add_timestamps": True,
}


@contextlib.asynccontextmanager
async def socket(
    engine: FakeEngine | None = None, options: EngineOptions | None = None, **settings: Any
) -> AsyncIterator[tuple[ClientConnection, StreamingSynthesizer]]:
    async with served(engine, options, **settings) as (client, synth):
        url = str(client.base_url).replace("http", "ws")
        query = "?api_key=long-secret&cartesia_version=2025-04-16"
        async with connect(f"{url}/tts/websocket{query}", compression=None) as connection:
            yield connection, synth


async def send(connection: ClientConnection, context: str, text: str, goes_on: bool, **more: Any) -> None:
    await connection.send(
        json.dumps({**ORDER, "context_id": context, "transcript": text, "continue": goes_on, **more})
    )


async def until_done(connection: ClientConnection) -> list[Message]:
    messages: list[Message] = []
    while not messages or not messages[-1]["done"]:
        messages.append(json.loads(await asyncio.wait_for(connection.recv(), HANG_S)))
    return messages


async def test_a_context_is_spoken_as_its_text_comes() -> None:
    """Chunks of base64 PCM, word times that count from the context's begin, and one end."""
    engine = FakeEngine(frames_per_segment=5)
    async with socket(engine, api_keys=("long-secret",)) as (connection, _):
        for piece in ("Hello ", "there, my ", "friend. "):
            await send(connection, "c1", piece, True)
        await send(connection, "c1", "", False)
        messages = await until_done(connection)
    assert {message["context_id"] for message in messages} == {"c1"}
    chunks = [base64.b64decode(message["data"]) for message in messages if message["type"] == "chunk"]
    assert [len(chunk) for chunk in chunks] == [3840] * 5 * len(engine.texts())
    times = [message["word_timestamps"] for message in messages if message["type"] == "timestamps"]
    assert [word for each in times for word in each["words"]] == ["Hello", "there,", "my", "friend."]
    assert all(len(each["start"]) == len(each["end"]) == len(each["words"]) for each in times)
    assert messages[-1] == {"type": "done", "context_id": "c1", "status_code": 200, "done": True}


async def test_a_cancel_reaches_the_engine() -> None:
    """The context ends, its slot is free, and its name can be used again."""
    engine = FakeEngine(frames_per_segment=10**6)
    async with socket(engine, EngineOptions(max_lead_ms=400)) as (connection, synth):
        await send(connection, "c1", "A long story. ", True)
        while json.loads(await connection.recv())["type"] != "chunk":
            pass
        await connection.send(json.dumps({"context_id": "c1", "cancel": True}))
        assert (await until_done(connection))[-1]["type"] == "done"
        await idle(synth)
        engine.frames_per_segment = 2
        await send(connection, "c1", "Again. ", False)
        assert sum(message["type"] == "chunk" for message in await until_done(connection)) == 2


async def test_other_encodings_and_contexts_side_by_side() -> None:
    """Each context has the audio that it asked for."""
    async with socket(FakeEngine(frames_per_segment=5)) as (connection, _):
        formats = {"a": ("pcm_f32le", 24_000, 4 * 1920 * 5), "b": ("pcm_mulaw", 8000, 640 * 5)}
        for name, (encoding, rate, _) in formats.items():
            output = {"container": "raw", "encoding": encoding, "sample_rate": rate}
            await send(connection, name, "Hello there.", False, output_format=output)
        messages = await until_done(connection) + await until_done(connection)
    for name, (_, _, wanted) in formats.items():
        data = [
            message["data"] for message in messages if message["context_id"] == name and "data" in message
        ]
        assert sum(len(base64.b64decode(each)) for each in data) == pytest.approx(wanted, abs=8)


async def test_flushes_are_numbered() -> None:
    """What was given is spoken now; behind its audio comes which flush it was."""
    async with socket(FakeEngine(frames_per_segment=2)) as (connection, _):
        for number in (1, 2):
            await send(connection, "c1", "Hello there", True, flush=True)
            answers = [json.loads(await connection.recv()) for _ in range(4)]
            kinds = [answer["type"] for answer in answers]
            assert kinds.count("chunk") == 2 and kinds[3] == "flush_done"
            assert answers[3]["flush_id"] == number
        await send(connection, "c1", "", False)
        assert [answer["type"] for answer in await until_done(connection)] == ["done"]


async def test_a_context_that_is_made_can_still_be_interrupted() -> None:
    """Clients cancel what they still play; the end of a context is told once."""
    async with socket(FakeEngine(frames_per_segment=2)) as (connection, _):
        await send(connection, "c1", "Hello.", False)
        await until_done(connection)
        await connection.send(json.dumps({"context_id": "c1", "cancel": True}))
        await send(connection, "c2", "Hello.", False)
        assert {answer["context_id"] for answer in await until_done(connection)} == {"c2"}


@pytest.mark.parametrize(
    "message",
    [
        "no json",
        json.dumps({**ORDER, "output_format": {"encoding": "mp3"}}),
        json.dumps({**ORDER, "context_id": "c1", "transcript": "...", "continue": False}),
    ],
)
async def test_a_bad_message_is_answered_and_the_socket_lives(message: str) -> None:
    """Errors have the shape that clients read; the next context is spoken."""
    async with socket() as (connection, _):
        await connection.send(message)
        answer = (await until_done(connection))[-1]
        assert answer["type"] == "error" and answer["error"] and answer["message"]
        await send(connection, "c2", "", False)
        assert (await until_done(connection))[-1]["type"] == "done"
        await send(connection, "c3", "Hello.", False)
        assert len(await until_done(connection)) >= 4


async def test_bytes_are_one_recording() -> None:
    """A text in one request: PCM in the wanted encoding and rate, or a WAV file."""
    order = {**ORDER, "transcript": "Hello there."}
    async with served(FakeEngine(frames_per_segment=5)) as (client, _):
        raw = await client.post("/tts/bytes", json=order)
        assert raw.status_code == 200 and len(raw.content) == 5 * 3840
        output = {"container": "wav", "encoding": "pcm_s16le", "sample_rate": 16_000}
        wav = await client.post("/tts/bytes", json={**order, "output_format": output})
        assert wav.headers["content-type"] == "audio/wav" and wav.content.startswith(b"RIFF")
        assert int.from_bytes(wav.content[24:28], "little") == 16_000
        assert len(wav.content) == pytest.approx(44 + 5 * 2560, abs=8)


@pytest.mark.parametrize(
    ("more", "code"),
    [
        ({"transcript": "..."}, "invalid_text"),
        ({"output_format": {"container": "ogg"}}, "invalid_request"),
        ({"output_format": {"container": "mp3", "sample_rate": 9000}}, "invalid_option"),
    ],
)
async def test_a_bad_request_for_bytes_is_refused(more: Message, code: str) -> None:
    """With the reason, before any audio."""
    async with served() as (client, _):
        answer = await client.post("/tts/bytes", json={**ORDER, "transcript": "Hello.", **more})
        assert answer.status_code == answer.json()["status_code"] == 400
        assert answer.json()["error_code"] == code and answer.json()["message"]


async def test_codes_of_languages_become_names() -> None:
    """The prompt has names; what is no code of ours goes in as it is."""
    engine = FakeEngine()
    async with served(engine) as (client, _):
        for language in ("en", "de-DE", "Klingon", None):
            await client.post("/tts/bytes", json={"transcript": "Hello.", "language": language})
    options = [options for kind, options in engine.log if kind == "open"]
    assert [option.language for option in options] == ["English", "German", "Klingon", None]  # type: ignore[attr-defined]


async def test_a_stereo_model_is_mixed() -> None:
    """These clients know mono alone: they get all of it, at the rate that they asked for."""
    output = {"container": "raw", "encoding": "pcm_s16le", "sample_rate": 16_000}
    async with socket(StereoFake(frames_per_segment=5)) as (connection, _):
        await send(connection, "a", "Hello there.", False, output_format=output)
        messages = await until_done(connection)
    pcm = b"".join(base64.b64decode(message["data"]) for message in messages if "data" in message)
    async with served(StereoFake(frames_per_segment=5)) as (client, _):
        body = {**ORDER, "transcript": "Hello there.", "output_format": {**output, "container": "wav"}}
        wav = (await client.post("/tts/bytes", json=body)).content
    assert int.from_bytes(wav[22:24], "little") == 1 and int.from_bytes(wav[24:28], "little") == 16_000
    for data in (pcm, wav[44:]):
        samples = np.frombuffer(data, dtype="<i2")
        assert len(samples) == pytest.approx(0.4 * 16_000, abs=8) and is_tone(samples, 16_000, TONE_PEAK / 2)


async def test_speed_volume_and_how_long_text_may_wait() -> None:
    """As `generation_config` and `max_buffer_delay_ms` ask; a voice may be a bare id."""
    engine = FakeEngine(frames_per_segment=10)
    async with socket(engine) as (connection, _):
        config = {"generation_config": {"speed": 2.0, "volume": 0.5}, "max_buffer_delay_ms": 0, "voice": "x"}
        await send(connection, "a", "Hello there.", False, **config)
        messages = await until_done(connection)
        await send(connection, "b", "Hello there.", False, output_format={"container": "mp3"})
        assert (await until_done(connection))[-1]["error_code"] == "unsupported_format"
    pcm = b"".join(base64.b64decode(message["data"]) for message in messages if "data" in message)
    assert len(pcm) == pytest.approx(0.4 * 48_000, rel=0.05)
    assert np.abs(np.frombuffer(pcm, "<i2").astype(int)).max() <= 12_345 / 2 + 1
    times = [message["word_timestamps"] for message in messages if message["type"] == "timestamps"]
    assert times[-1]["end"][-1] <= 0.4
    (options,) = [options for kind, options in engine.log if kind == "open"]
    assert options.max_wait_ms == 0  # type: ignore[attr-defined]
