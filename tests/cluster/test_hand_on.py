"""A full replica and the others, without Ray."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Mapping
from typing import Any

import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route
from starlette.types import ASGIApp, Message

from moss_stream.cluster import hand_on
from moss_stream.cluster.hand_on import HANDED_ON, HandOn, relayed


def replica(status: int, name: str) -> Starlette:
    """A replica that echoes, with a status of its own."""

    async def speech(request: Request) -> Response:
        text = (await request.body()).decode()
        return PlainTextResponse(f"{name}: {text}", status, {"retry-after": "3", "x-by": name})

    return Starlette(routes=[Route("/speech", speech, methods=["GET", "POST"])])


class Neighbours:
    """Other replicas, of which one takes what is handed on."""

    def __init__(self, app: ASGIApp | None) -> None:
        self._app = app
        self.asked = 0

    async def hand_on(self, scope: Mapping[str, Any], body: bytes) -> AsyncGenerator[Message]:
        self.asked += 1
        if self._app is not None:
            async for message in relayed(self._app, scope, body):
                yield message


async def ask(app: ASGIApp, method: str = "POST") -> httpx.Response:
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test") as client:
        return await client.request(method, "/speech", content=b"hello")


@pytest.mark.parametrize(
    ("own", "theirs", "by", "status"),
    [(200, 200, "own", 200), (503, 200, "theirs", 200), (503, 400, "theirs", 400), (503, 503, "own", 503)],
)
async def test_a_full_replica_hands_on(own: int, theirs: int, by: str, status: int) -> None:
    """The whole request; the refusal is its own, with the time to try again, when all are full."""
    others = Neighbours(replica(theirs, "theirs"))
    answer = await ask(HandOn(replica(own, "own"), others))
    assert (answer.status_code, answer.headers["x-by"], answer.text) == (status, by, f"{by}: hello")
    assert answer.headers["retry-after"] == "3" and others.asked == (own == 503)


async def test_a_replica_alone_refuses_by_itself() -> None:
    answer = await ask(HandOn(replica(503, "own"), Neighbours(None)))
    assert (answer.status_code, answer.text) == (503, "own: hello")


async def test_what_was_handed_on_is_not_handed_on_again() -> None:
    """Nor is a request that takes no slot."""
    others = Neighbours(replica(200, "theirs"))
    full = HandOn(replica(503, "own"), others)
    found = [message async for message in relayed(full, scope(), b"hello")]
    assert found[0]["status"] == 503 and (await ask(full, "GET")).status_code == 503 and others.asked == 0


async def test_nobody_waits_for_a_silent_neighbour(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its time is bounded, and then the client is refused."""
    monkeypatch.setattr(hand_on, "PATIENCE_S", 0.0)

    async def silent(request: Request) -> Response:
        await asyncio.Event().wait()
        raise AssertionError

    others = Neighbours(Starlette(routes=[Route("/speech", silent, methods=["POST"])]))
    assert (await ask(HandOn(replica(503, "own"), others))).status_code == 503


def scope() -> dict[str, Any]:
    return {
        "type": "http",
        "http_version": "1.1",
        "method": "POST",
        "path": "/speech",
        "raw_path": b"/speech",
        "query_string": b"",
        "root_path": "",
        "headers": [],
    }


async def test_who_stops_listening_cancels() -> None:
    """Closing the answer ends the request where it is worked on; its scope says where it came from."""
    ended, seen = asyncio.Event(), []

    async def speech(request: Request) -> Response:
        seen.append(HANDED_ON in request.scope)

        async def endless() -> AsyncGenerator[bytes]:
            try:
                yield b"audio"
                await asyncio.Event().wait()
            finally:
                ended.set()

        return StreamingResponse(endless())

    answer = relayed(Starlette(routes=[Route("/speech", speech, methods=["POST"])]), scope(), b"")
    async for message in answer:
        if message.get("body"):
            break
    await answer.aclose()  # type: ignore[attr-defined]
    await ended.wait()
    assert seen == [True]
