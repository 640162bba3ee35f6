"""Every door has limits: for texts that reach the prompt, for numbers, for what is written and quoted."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
from typing import Any

import httpx
import pytest
from fakes import FakeEngine
from web import served
from websockets.asyncio.client import ClientConnection, connect

from moss_stream import EngineOptions

KEY = "a-long-secret-key"
SPEECH = {"input": "Hello.", "response_format": "pcm"}
START = {"type": "start", "stream": 1}
ORDER = {"context_id": "c", "transcript": "Hello.", "continue": False}
DOORS: dict[str, dict[str, Any]] = {
    "/v1/audio/speech": SPEECH,
    "/tts/bytes": {"transcript": "Hello."},
    "/v1/speak": START,
    "/tts/websocket": ORDER,
}
HUGE = "1" + "0" * 5000
"""More digits than Python reads."""
NUMBERS = [
    *("2147483647", "2147483648", "-2147483649", "9223372036854775807", "9223372036854775808"),
    *("-9223372036854775809", "18446744073709551616", HUGE, f"-{HUGE}", "-0.0", "1e308", "1e-320", "3.5e38"),
    *("1e400", "-1e400", "NaN", "Infinity", "-Infinity", "true", "false", "null", '"7"', "[]", "1.5"),
]


async def answered(client: httpx.AsyncClient, door: str, body: str) -> str:
    """What a door says to a message; it must be no failure of the server's own."""
    if door in ("/v1/audio/speech", "/tts/bytes", "/webrtc/offer"):
        answer = await client.post(door, content=body, headers={"Content-Type": "application/json"})
        assert answer.status_code in (200, 400, 413), (body[:100], answer.text[:300])
        return "" if answer.status_code == 200 else answer.text
    url = str(client.base_url).replace("http", "ws") + door
    async with connect(url, compression=None) as socket:
        await socket.send(body)
        said = await error_or_end(socket, door)
        assert "internal_error" not in said and "engine_error" not in said, (body[:100], said[:300])
        return said


async def error_or_end(socket: ClientConnection, door: str) -> str:
    if door == "/v1/speak":  # the order was carried out if the next one's answer comes first
        await socket.send('{"type": "flush", "stream": 4242}')
    async for message in socket:
        if isinstance(message, bytes):
            continue
        if "4242" in message or '"type": "done"' in message:
            return ""
        if json.loads(message)["type"] == "error":
            return message
    raise AssertionError("The socket was closed.")


@pytest.mark.parametrize(
    ("door", "fields"),
    [
        ("/v1/audio/speech", ["language", "instructions", "voice", "model"]),
        ("/tts/bytes", ["language"]),
        ("/v1/speak", ["language", "instruction", "voice"]),
        ("/tts/websocket", ["language", "context_id"]),
    ],
)
async def test_what_reaches_the_prompt_has_a_limit(door: str, fields: list[str]) -> None:
    """It is refused before the engine sees it, with a sentence that does not repeat it."""
    engine = FakeEngine()
    async with served(engine) as (client, _):
        for field, length in itertools.product(fields, (2_001, 50_000)):
            said = await answered(client, door, json.dumps({**DOORS[door], field: "A" * length}))
            assert "at most" in said and said.count("A") <= 80, said
        assert not [kind for kind, _ in engine.log if kind in ("open", "begin")]


@pytest.mark.parametrize("field", ["input", "transcript"])
async def test_a_text_has_a_limit(field: str) -> None:
    """Also where it is inside a body that is too large to be read."""
    door = "/v1/audio/speech" if field == "input" else "/tts/bytes"
    async with served() as (client, _):
        for length, said in ((20_001, "20000"), (10**6, "bytes")):
            assert said in await answered(client, door, json.dumps({field: "A" * length}))
        emoji = json.dumps({field: "Hello. " + "\U0001f600" * 19_000, "language": "English"})
        assert await answered(client, door, emoji) == "", "twelve bytes for each character still fit"


SAMPLING = [
    f"sampling.{channel}.{name}"
    for channel in ("text", "audio")
    for name in ("temperature", "top_p", "top_k", "repetition_penalty")
]


@pytest.mark.parametrize(
    ("door", "fields"),
    [
        ("/v1/audio/speech", ["seed", "n_vq", "tokens", "speed", *SAMPLING]),
        ("/v1/speak", ["stream", "seed", "n_vq", "max_wait_ms", *SAMPLING]),
        ("/tts/bytes", ["output_format.sample_rate"]),
        ("/tts/websocket", ["output_format.sample_rate"]),
    ],
)
async def test_numbers_at_and_past_their_limits(door: str, fields: list[str]) -> None:
    """Whatever a number is, it is spoken with or refused in a short sentence; the server does not fail."""
    async with served(FakeEngine(frames_per_segment=1)) as (client, _):
        for field, number in itertools.product(fields, NUMBERS):
            content: Any = "NUMBER"
            for name in reversed(field.split(".")):
                content = {name: content}
            body = json.dumps({**DOORS[door], **content}).replace('"NUMBER"', number)
            assert len(await answered(client, door, body)) < 2_000


async def test_what_was_played_is_a_number_of_seconds() -> None:
    """A report beyond all bounds is refused, and the stream goes on."""
    async with served(FakeEngine(frames_per_segment=1)) as (client, _):
        for number in NUMBERS:
            body = json.dumps({"type": "played", "stream": 1, "seconds": "NUMBER"})
            await answered(client, "/v1/speak", body.replace('"NUMBER"', number))


@pytest.mark.parametrize(
    ("door", "content"),
    [
        ("/v1/audio/speech", {"sampling": {"text": {"temperature": "A" * 200_000}}}),
        ("/v1/audio/speech", {"sampling": {"A" * 200_000: 1}}),
        ("/v1/audio/speech", {"sampling": {"audio": [{"top_k": "A" * 99}] * 1000}}),
        ("/v1/audio/speech", {"response_format": "A" * 200_000}),
        ("/v1/audio/speech", {"speed": "A" * 200_000}),
        ("/v1/audio/speech", {"voice": "A" * 100}),
        ("/tts/bytes", {"output_format": {"encoding": "A" * 200_000}}),
        ("/v1/speak", {"type": "A" * 50_000}),
        ("/v1/speak", {"voice": "A" * 100}),
        ("/v1/speak", {"sampling": {"text": {"A" * 50_000: 1}}}),
        ("/tts/websocket", {"output_format": {"container": "A" * 50_000}}),
        ("/webrtc/offer", {"sdp": "v=0\r\n" + "A" * 50_000}),
        ("/webrtc/offer", {"sdp": "v=0", "type": "A" * 50_000}),
    ],
)
async def test_an_answer_does_not_repeat_what_was_sent(door: str, content: dict[str, Any]) -> None:
    """It quotes the beginning and the end of a value, 80 characters at most."""
    async with served() as (client, _):
        said = await answered(client, door, json.dumps({**DOORS.get(door, {}), **content}))
        assert 0 < len(said) < 2_000 and "A" * 81 not in said


async def test_paths_and_headers_are_not_repeated() -> None:
    """Nor are names in them."""
    async with served() as (client, _):
        for path in ("/" + "A" * 5000, "/v1/audio/voices/" + "A" * 5000, "/page/" + "A" * 5000):
            answer = await client.request("DELETE", path)
            assert answer.status_code in (403, 404, 405) and "A" * 81 not in answer.text
        for name in ("Host", "Origin"):
            answer = await client.get("/v1/models", headers={name: "http://" + "a" * 5000})
            assert answer.status_code == 403 and "a" * 81 not in answer.text


@pytest.mark.parametrize("door", ["/v1/speak", "/tts/websocket"])
async def test_what_is_never_read_out_counts(door: str) -> None:
    """A code block that never ends is refused; the stream can still be ended, and speaks what it has."""
    async with served(FakeEngine(frames_per_segment=1), max_turn_chars=5_000) as (client, _):
        url = str(client.base_url).replace("http", "ws") + door
        async with connect(url, compression=None) as socket:
            for order in code(door, "Hello. \n```\n" + "x = 1\n" * 100, 12):
                await socket.send(order)
            refusals, is_done = list[dict[str, Any]](), False
            while not is_done:
                message = await socket.recv()
                if isinstance(message, str):
                    answer = json.loads(message)
                    refusals += [answer] if answer["type"] == "error" else []
                    is_done = answer["type"] == "done"
            assert len(refusals) >= 4
            assert all("5000" in answer["message"] for answer in refusals)


def code(door: str, text: str, times: int) -> list[str]:
    if door == "/v1/speak":
        texts = [{"type": "text", "stream": 1, "text": text}] * times
        return [json.dumps(order) for order in (START, *texts, {"type": "end", "stream": 1})]
    texts = [{**ORDER, "transcript": text, "continue": True}] * times
    return [json.dumps(order) for order in (*texts, {**ORDER, "transcript": "", "continue": False})]


async def test_orders_without_text_count_too() -> None:
    """A client that flushes without end is told to wait, then refused."""
    engine = FakeEngine(frames_per_segment=10**6, max_streams=1)
    async with served(engine, EngineOptions(max_lead_ms=80), max_text_chars=3_000) as (client, _):
        async with connect(
            str(client.base_url).replace("http", "ws") + "/v1/speak", close_timeout=0.1
        ) as socket:
            await socket.send(json.dumps(START))
            await socket.send(json.dumps({"type": "text", "stream": 1, "text": "word " * 400}))
            for _ in range(1_500):
                await socket.send(json.dumps({"type": "flush", "stream": 1}))
            while True:
                message = await socket.recv()
                if isinstance(message, str) and json.loads(message)["type"] == "error":
                    break
            answer = json.loads(message)
            assert answer["code"] == "text_too_long" and answer["retry_after_s"] > 0


@pytest.mark.parametrize(
    "door", ["/v1/audio/speech", "/tts/bytes", "/webrtc/offer", "/v1/audio/voices", "/no"]
)
async def test_the_key_comes_first(door: str) -> None:
    """A stranger is told so whatever the body, before it is there, and however large it is said to be."""
    async with served(api_keys=(KEY,), idle_s=3600) as (client, _):
        for body in (b"{", b"{}", b"\xff" * 100, b'{"input": 7}', b"A" * 10**6):
            answer = await client.post(door, content=body, headers={"Content-Type": "application/json"})
            assert answer.status_code == 401
        assert client.base_url.port is not None
        for length in (10_000, 10**12):
            reader, writer = await asyncio.open_connection("127.0.0.1", client.base_url.port)
            head = f"POST {door} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
            writer.write(f"{head}Content-Length: {length}\r\n\r\n".encode())
            assert b"401" in await reader.readline()
            writer.close()


@pytest.mark.parametrize("door", ["/v1/speak", "/tts/websocket"])
async def test_a_refusal_on_a_socket_says_when_to_try_again(door: str) -> None:
    """As HTTP's Retry-After does: for a key with too many streams, and for a server that is full."""
    engine = FakeEngine(frames_per_segment=10**6, max_streams=1)
    options = EngineOptions(max_queue=0, max_lead_ms=80)
    for settings, code_ in (({"streams_per_key": 1}, "too_many_streams"), ({}, "overloaded")):
        async with served(engine, options, **settings) as (client, synth):
            url = str(client.base_url).replace("http", "ws") + door
            async with connect(url, compression=None) as one, connect(url, compression=None) as two:
                for socket in (one, two):
                    for order in code(door, "Hello. ", 1)[:2]:
                        await socket.send(order)
                    while socket is one and not synth.metrics.active:
                        await asyncio.sleep(0.001)
                while True:
                    message = await two.recv()
                    if isinstance(message, str) and json.loads(message)["type"] == "error":
                        break
                answer = json.loads(message)
                assert code_ in (answer.get("code"), answer.get("error_code"))
                assert answer["retry_after_s"] >= 1
            with contextlib.suppress(httpx.HTTPError):
                await client.get("/healthz")
