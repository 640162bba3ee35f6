from __future__ import annotations

import base64
import json
from typing import Any

import pytest
from fakes import FakeEngine, StereoFake
from web import served

from moss_stream import EngineOptions

TEXT = "Hello there, my friend."
PATH = "/v1/text-to-speech/21m00Tcm4TlvDq8ikWAM"


@pytest.mark.parametrize("path", ["", "/stream"])
@pytest.mark.parametrize(
    ("name", "media_type", "num_bytes"),
    [
        ("pcm_24000", "audio/pcm", 5 * 3840),
        ("ulaw_8000", "audio/pcm", 5 * 640),
        ("mp3_44100_128", "audio/mpeg", 0.4 * 16_000),
        ("opus_48000_64", "audio/ogg", 0.4 * 8000),
    ],
)
async def test_a_text_is_spoken_in_the_wanted_format(
    path: str, name: str, media_type: str, num_bytes: float
) -> None:
    """A voice of the original service stands for the default; what means nothing here is passed over."""
    body = {"text": TEXT, "model_id": "eleven_flash_v2_5", "voice_settings": {"stability": 0.4}, "seed": None}
    for engine in (FakeEngine(frames_per_segment=5), StereoFake(frames_per_segment=5)):
        async with served(engine) as (client, _):
            answer = await client.post(f"{PATH}{path}?output_format={name}&enable_logging=false", json=body)
        assert answer.status_code == 200 and answer.headers["content-type"] == media_type
        exact = name.startswith(("pcm", "ulaw"))
        assert len(answer.content) == pytest.approx(num_bytes, abs=8 if exact else 0.6 * num_bytes)


def spoken(parts: list[dict[str, Any]], name: str) -> str:
    return "".join(char for part in parts if part[name] for char in part[name]["characters"])


async def test_times_of_characters() -> None:
    """All in one object, or a line for each piece of audio; the times count from the begin."""
    async with served(FakeEngine(frames_per_segment=5)) as (client, _):
        whole = (
            await client.post(f"{PATH}/with-timestamps?output_format=pcm_24000", json={"text": TEXT})
        ).json()
        answer = await client.post(
            f"{PATH}/stream/with-timestamps?output_format=pcm_24000", json={"text": TEXT}
        )
    lines = [json.loads(line) for line in answer.text.splitlines()]
    for parts in ([whole], lines):
        assert sum(len(base64.b64decode(part["audio_base64"])) for part in parts) == 5 * 3840
        assert spoken(parts, "alignment") == spoken(parts, "normalized_alignment") == TEXT + " "
    assert len(lines) > 4
    times = whole["alignment"]
    starts, ends = times["character_start_times_seconds"], times["character_end_times_seconds"]
    assert len(starts) == len(ends) == len(TEXT) + 1 and starts == sorted(starts) and 0 < ends[-1] <= 0.4


async def test_speed_makes_it_shorter_and_its_times_too() -> None:
    """As `voice_settings` ask."""
    body = {"text": TEXT, "voice_settings": {"speed": 2.0}}
    async with served(FakeEngine(frames_per_segment=10)) as (client, _):
        made = (await client.post(f"{PATH}/with-timestamps?output_format=pcm_24000", json=body)).json()
    assert len(base64.b64decode(made["audio_base64"])) == pytest.approx(0.4 * 48_000, rel=0.05)
    assert made["alignment"]["character_end_times_seconds"][-1] <= 0.4


@pytest.mark.parametrize(
    ("path", "body", "status", "told"),
    [
        ("/v1/text-to-speech/nobody", {"text": TEXT}, 404, "voice_not_found"),
        (f"{PATH}?output_format=midi", {"text": TEXT}, 400, "output_format_not_allowed"),
        (PATH, {"text": "..."}, 400, "invalid_text"),
        (PATH, {"text": "x" * 101}, 400, "text_too_long"),
    ],
)
async def test_a_bad_request_is_told_what_is_wrong(path: str, body: object, status: int, told: str) -> None:
    """In ElevenLabs' shape, before any audio."""
    async with served(max_text_chars=100) as (client, _):
        answer = await client.post(path, json=body)
    assert answer.status_code == status
    assert answer.json()["detail"]["status"] == told and answer.json()["detail"]["message"]


@pytest.mark.parametrize("body", [{}, [], {"text": 7}, {"text": TEXT, "voice_settings": {"speed": 99}}])
async def test_what_is_no_request_is_422(body: object) -> None:
    """With where it is wrong, as FastAPI itself would say it."""
    async with served() as (client, _):
        answer = await client.post(PATH, json=body)
    assert answer.status_code == 422
    (detail,) = answer.json()["detail"]
    assert detail["loc"][0] == "body" and detail["msg"]


async def test_a_client_that_goes_stops_the_model() -> None:
    """Also while nothing but the end of the answer is sent."""
    engine = FakeEngine(frames_per_segment=10**6, max_streams=1)
    async with served(engine, EngineOptions(max_lead_ms=400)) as (client, synth):
        async with client.stream("POST", f"{PATH}/stream", json={"text": "word " * 50}) as answer:
            await anext(answer.aiter_bytes())
        engine.frames_per_segment = 2
        assert (await client.post(f"{PATH}/with-timestamps", json={"text": TEXT})).status_code == 200
        assert synth.metrics.ended["cancelled"] == 1
