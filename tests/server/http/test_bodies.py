from __future__ import annotations

import asyncio

import pytest
from fakes import FakeEngine
from web import served

from tests.server.http.test_connections import line_to

REQUEST = "POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: {kind}\r\n"
FORM = "multipart/form-data; boundary=x"


@pytest.mark.parametrize(
    ("path", "kind", "length", "status"),
    [
        ("/v1/audio/speech", "application/json", 305_537, 413),
        ("/v1/audio/speech", "text/plain", 305_537, 413),
        ("/tts/bytes", "application/json", 10**19, 413),
        ("/tts/bytes", "application/json", 10**30, 400),  # no length to the HTTP parser
        ("/v1/audio/voices", FORM, (16 << 20) + 1, 413),
    ],
)
async def test_a_body_that_says_it_is_too_large_is_not_read(
    path: str, kind: str, length: int, status: int
) -> None:
    """Only uploads may be large; the answer comes before the body does."""
    async with served() as (client, _):
        reader, writer = await line_to(client)
        writer.write(f"{REQUEST.format(path=path, kind=kind)}Content-Length: {length}\r\n\r\n".encode())
        assert str(status).encode() in await reader.readline()
        writer.close()


async def test_a_body_must_come_within_twice_the_idle_time() -> None:
    """However often a bit more of it comes."""
    async with served(FakeEngine(), idle_s=0.3) as (client, _):
        reader, writer = await line_to(client)
        head = REQUEST.format(path="/v1/audio/speech", kind="application/json")
        writer.write(f"{head}Content-Length: 100000\r\n\r\n".encode())
        answer = asyncio.create_task(reader.readline())
        while not answer.done():
            writer.write(b" ")
            await asyncio.wait([answer], timeout=0.05)
        assert b"408" in answer.result()
        writer.close()


async def test_an_upload_may_be_larger_than_a_text() -> None:
    """A recording of a megabyte is read, and judged as a recording."""
    async with served(FakeEngine()) as (client, _):
        content = {"data": {"name": "a", "consent": "me"}, "files": {"audio": b"x" * 10**6}}
        answer = await client.post("/v1/audio/voices", **content)  # type: ignore[arg-type]
        assert answer.status_code == 403 and answer.json()["error"]["code"] == "no_uploads"
