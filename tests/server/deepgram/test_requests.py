from __future__ import annotations

import pytest
from fakes import FakeEngine, StereoFake
from web import served

TEXT = "Hello there."


@pytest.mark.parametrize(
    ("query", "media_type", "num_bytes"),
    [
        ("encoding=linear16&container=none&sample_rate=16000", "audio/pcm", 0.4 * 32_000),
        ("encoding=mulaw&container=wav&model=aura-2-thalia-en", "audio/wav", 44 + 0.4 * 8000),
        ("encoding=mp3&bit_rate=48000&tag=x", "audio/mpeg", 0.4 * 6000),
    ],
)
async def test_a_text_is_spoken(query: str, media_type: str, num_bytes: float) -> None:
    """In the wanted format, of a mono and of a stereo model."""
    for engine in (FakeEngine(frames_per_segment=5), StereoFake(frames_per_segment=5)):
        async with served(engine) as (client, _):
            answer = await client.post(f"/v1/speak?{query}", json={"text": TEXT})
        assert answer.status_code == 200 and answer.headers["content-type"] == media_type
        assert answer.headers["dg-char-count"] == str(len(TEXT)) and answer.headers["dg-request-id"]
        assert len(answer.content) == pytest.approx(num_bytes, rel=0.4 if "mp3" in query else 0.01)


@pytest.mark.parametrize(
    ("query", "body", "status", "code"),
    [
        ("model=nobody", {"text": TEXT}, 400, "UNKNOWN_VOICE"),
        ("encoding=opus&container=wav", {"text": TEXT}, 400, "UNSUPPORTED_AUDIO_FORMAT"),
        ("encoding=midi", {"text": TEXT}, 400, "INVALID_REQUEST"),
        ("", {"url": "https://example.com"}, 400, "INVALID_REQUEST"),
        ("", {"text": "..."}, 400, "INVALID_TEXT"),
        ("", {"text": "x" * 101}, 400, "PAYLOAD_TOO_LARGE"),
    ],
)
async def test_a_bad_request_is_told_what_is_wrong(query: str, body: object, status: int, code: str) -> None:
    """In Deepgram's shape."""
    async with served(max_text_chars=100) as (client, _):
        answer = await client.post(f"/v1/speak?{query}", json=body)
    assert answer.status_code == status
    told = answer.json()
    assert told["err_code"] == code and told["err_msg"] and told["request_id"]
