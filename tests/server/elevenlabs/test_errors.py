from __future__ import annotations

from fakes import FakeEngine
from web import served

PATH = "/v1/text-to-speech/21m00Tcm4TlvDq8ikWAM"


async def test_a_key_is_asked_for_by_their_name() -> None:
    """401 with `detail`, also of the addresses that other clients share, and before the body is read."""
    async with served(api_keys=("long-secret",)) as (client, _):
        for method, path in (("POST", PATH), ("GET", "/v1/voices"), ("GET", "/v1/models")):
            answer = await client.request(method, path, headers={"xi-api-key": "wrong-secret"})
            assert answer.status_code == 401
            assert answer.json()["detail"]["status"] == "invalid_api_key"
        headers = {"xi-api-key": "long-secret"}
        assert (await client.post(PATH, json={"text": "Hello."}, headers=headers)).status_code == 200
        assert "error" in (await client.get("/v1/models")).json()  # OpenAI's


async def test_one_stream_too_many() -> None:
    """429, and when to try again."""
    async with served(FakeEngine(frames_per_segment=10**6), streams_per_key=1) as (client, _):
        async with client.stream("POST", PATH, json={"text": "word " * 50}) as first:
            await anext(first.aiter_bytes())
            answer = await client.post(PATH, json={"text": "Hello."})
    assert answer.status_code == 429 and answer.headers["retry-after"]
    assert answer.json()["detail"]["status"] == "too_many_concurrent_requests"
