from __future__ import annotations

import base64
import json
from typing import Any

import pytest
from fakes import FakeEngine, StereoFake
from web import served

ORDER: dict[str, Any] = {
    "model_id": "sonic-3",
    "voice": {"mode": "id", "id": "some-id-of-theirs"},
    "transcript": "Hello there.",
    "output_format": {"container": "raw", "encoding": "pcm_s16le", "sample_rate": 24_000},
}


def events(text: str) -> list[dict[str, Any]]:
    """The events of a stream; each names its type twice."""
    found = []
    for part in text.split("\n\n")[:-1]:
        kind, _, data = part.partition("\n")
        content = json.loads(data.removeprefix("data: "))
        assert kind == f"event: {content['type']}"
        found.append(content)
    return found


async def test_speech_as_events() -> None:
    """Audio, times of words if wanted, and the end; all with the context's name if it has one."""
    async with served(FakeEngine(frames_per_segment=5)) as (client, _):
        answer = await client.post("/tts/sse", json={**ORDER, "add_timestamps": True, "context_id": "c"})
        plain = events((await client.post("/tts/sse", json=ORDER)).text)
    assert answer.headers["content-type"].startswith("text/event-stream")
    told = events(answer.text)
    assert sum(len(base64.b64decode(event["data"])) for event in told if event["type"] == "chunk") == 5 * 3840
    (times,) = [event["word_timestamps"] for event in told if event["type"] == "timestamps"]
    assert times["words"] == ["Hello", "there."] and times["start"] == sorted(times["start"])
    assert told[-1] == {"type": "done", "status_code": 200, "done": True, "context_id": "c"}
    assert {event["type"] for event in plain} == {"chunk", "done"} and "context_id" not in plain[0]


async def test_what_fails_on_the_way_is_an_event() -> None:
    """Its status was sent long ago."""
    async with served(FakeEngine(frames_per_segment=5, fail_at=3)) as (client, _):
        told = events((await client.post("/tts/sse", json=ORDER)).text)
    assert told[-1]["type"] == "error" and told[-1]["status_code"] == 500 and told[-1]["request_id"]


@pytest.mark.parametrize("rate", [8000, 16_000, 22_050, 24_000, 44_100, 48_000])
@pytest.mark.parametrize(("container", "magic"), [("raw", b""), ("wav", b"RIFF"), ("mp3", b"")])
async def test_all_formats_of_files(container: str, magic: bytes, rate: int) -> None:
    """Of a stereo model, in all rates."""
    output = {"container": container, "encoding": "pcm_f32le", "sample_rate": rate, "bit_rate": 128_000}
    async with served(StereoFake(frames_per_segment=5)) as (client, _):
        answer = await client.post("/tts/bytes", json={**ORDER, "output_format": output})
    assert answer.status_code == 200 and answer.content.startswith(magic)
    if container == "mp3":
        assert answer.headers["content-type"] == "audio/mpeg" and len(answer.content) > 4000
    else:
        assert len(answer.content) == pytest.approx(0.4 * rate * 4 + (44 if magic else 0), abs=32)


async def test_files_do_not_come_as_events() -> None:
    """A refusal in Cartesia's shape."""
    async with served() as (client, _):
        answer = await client.post("/tts/sse", json={**ORDER, "output_format": {"container": "wav"}})
    assert answer.status_code == 400 and answer.json()["error_code"] == "unsupported_format"
