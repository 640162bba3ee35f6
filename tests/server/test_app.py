from __future__ import annotations

import re
import threading
from typing import Any

import pytest
from fakes import FakeEngine
from web import served
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus

KEY = "a-long-secret-key"
WAYS = "", "/stream", "/with-timestamps", "/stream/with-timestamps"
ENDPOINTS = [
    ("POST", "/v1/audio/speech", {"json": {"input": "Hello."}}),
    ("POST", "/v1/audio/dialogue", {"json": {"input": "[S1] Hello."}}),
    ("POST", "/v1/audio/sounds", {"json": {"description": "rain"}}),
    ("POST", "/v1/audio/voices/design", {"json": {"name": "a", "description": "calm"}}),
    ("GET", "/v1/audio/voices", {}),
    ("POST", "/v1/audio/voices", {"data": {"name": "a", "consent": "me"}, "files": {"audio": b"x"}}),
    ("DELETE", "/v1/audio/voices/a", {}),
    ("GET", "/v1/models", {}),
    ("POST", "/tts/bytes", {"json": {"transcript": "Hello."}}),
    ("POST", "/tts/sse", {"json": {"transcript": "Hello."}}),
    *(("POST", f"/v1/text-to-speech/a{way}", {"json": {"text": "Hello."}}) for way in WAYS),
    ("POST", "/v1/speak", {"json": {"text": "Hello."}}),
    ("GET", "/v1/voices", {}),
    ("GET", "/v2/voices", {}),
    ("GET", "/v1/voices/a", {}),
    ("POST", "/webrtc/offer", {"json": {"sdp": "v=0"}}),
    ("GET", "/metrics", {}),
]
SOCKETS = ["/v1/speak", "/tts/websocket"]
OPEN = {"/healthz", "/readyz"}


@pytest.mark.parametrize(("method", "path", "content"), ENDPOINTS)
async def test_without_a_key_nothing_opens(method: str, path: str, content: dict[str, Any]) -> None:
    """No key and a wrong key get 401; both ways to give the right one open."""
    async with served(api_keys=("other-secret", KEY)) as (client, _):
        for headers in (
            {},
            {"Authorization": "Bearer wrong-secret"},
            {"X-API-Key": KEY[:-1]},
            {"X-API-Key": ""},
        ):
            answer = await client.request(method, path, headers=headers, **content)
            assert answer.status_code == 401 and re.search('"(invalid_api_key|INVALID_AUTH)"', answer.text)
        for headers in ({"Authorization": f"Bearer {KEY}"}, {"X-API-Key": KEY}):
            assert (await client.request(method, path, headers=headers, **content)).status_code != 401


@pytest.mark.parametrize("path", SOCKETS)
async def test_without_a_key_no_socket_opens(path: str) -> None:
    """Sockets too, by header or, from a web page, in the address."""
    async with served(api_keys=(KEY,)) as (client, _):
        url = str(client.base_url).replace("http", "ws") + path
        for query, headers in (("", {}), ("?api_key=wrong-secret", {}), ("", {"X-API-Key": "wrong-secret"})):
            with pytest.raises(InvalidStatus, match="403"):
                await connect(url + query, additional_headers=headers)
        for query, headers in ((f"?api_key={KEY}", {}), ("", {"Authorization": f"Bearer {KEY}"})):
            async with connect(url + query, additional_headers=headers):
                pass


async def test_every_endpoint_was_tried_without_a_key() -> None:
    """A new one cannot be forgotten here."""
    async with served() as (client, _):
        paths = (await client.get("/openapi.json")).json()["paths"]
    tried = {(method, re.sub("/a(?=/|$)", "/{}", path)) for method, path, _ in ENDPOINTS}
    known = {(method.upper(), path) for path in paths if path not in OPEN for method in paths[path]}
    assert tried == {(method, re.sub(r"{\w+}", "{}", path)) for method, path in known}


async def test_the_loaded_model_is_listed() -> None:
    """In OpenAI's shape, with what a client has to know of it."""
    async with served() as (client, _):
        (model,) = (await client.get("/v1/models")).json()["data"]
        assert model["object"] == "model" and model["num_codebooks"] == 4 and model["sample_rate"] == 24_000


async def test_health_is_open_and_says_little() -> None:
    """A load balancer has no key."""
    async with served(api_keys=(KEY,)) as (client, synth):
        assert (await client.get("/healthz")).json() == {"status": "ok"}
        assert (await client.get("/readyz")).status_code == 200
        await synth.close()
        assert (await client.get("/readyz")).status_code == 503


async def test_it_is_ready_when_it_is_warm() -> None:
    """Until the engine has made what it needs, a load balancer sends nobody."""
    gate = threading.Semaphore(0)
    engine = FakeEngine(capture_gate=gate)
    async with served(engine) as (client, _):
        assert (await client.get("/readyz")).status_code == 503
        assert (await client.get("/healthz")).status_code == 200
        gate.release()
        while (await client.get("/readyz")).status_code != 200:
            pass
        assert ("capture", None) in engine.log


async def test_metrics_are_those_of_the_engine() -> None:
    """Prometheus' text, after a stream."""
    async with served() as (client, _):
        await client.post("/v1/audio/speech", json={"input": "Hello there."})
        assert "moss_frames_total" in (await client.get("/metrics")).text


async def test_a_body_that_is_too_large_is_refused() -> None:
    """Whether it says its length or not."""

    async def endless() -> Any:
        for _ in range(100):
            yield b"x" * 1000

    async with served(max_body_bytes=2000) as (client, _):
        for content in (b"x" * 5000, endless()):
            answer = await client.post("/v1/audio/speech", content=content)
            assert answer.status_code == 413
            assert answer.json()["error"]["code"] == "too_large"
        assert (await client.post("/v1/audio/speech", json={"input": "Hello."})).status_code == 200


async def test_pages_of_other_origins_stay_out() -> None:
    """No CORS headers unless an origin is allowed."""
    for origins, wanted in (((), None), (("https://here.example",), "https://here.example")):
        async with served(origins=origins) as (client, _):
            answer = await client.get("/healthz", headers={"Origin": "https://here.example"})
            assert answer.headers.get("access-control-allow-origin") == wanted


async def test_what_is_not_there_is_an_error_in_our_shape() -> None:
    """An unknown path or method, and a document that describes the known ones."""
    async with served() as (client, _):
        for answer in (await client.get("/nowhere"), await client.get("/v1/audio/speech")):
            assert answer.status_code in (404, 405) and answer.json()["error"]["code"] == "http_error"
        paths = (await client.get("/openapi.json")).json()["paths"]
        assert {"/v1/audio/speech", "/v1/audio/voices", "/healthz", "/readyz", "/metrics"} <= set(paths)
