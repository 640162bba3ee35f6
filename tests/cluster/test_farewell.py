"""What clients hear of a proxy whose replica is gone."""

from __future__ import annotations

from collections.abc import Sequence

import httpx
import pytest
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from moss_stream.cluster.farewell import GONE, Farewell, middlewares


async def closes(app: ASGIApp, *heard: Message) -> list[Message]:
    """Return what is sent on a socket."""
    sent: list[Message] = []
    coming = iter(heard)

    async def receive() -> Message:
        return next(coming)

    async def send(message: Message) -> None:
        sent.append(message)

    await Farewell(app)({"type": "websocket"}, receive, send)
    return sent


def saying(*types: str, hears: int = 0) -> ASGIApp:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        for kind in types:
            await send({"type": kind, "code": 1000})
        for _ in range(hears):
            await receive()

    return app


@pytest.mark.parametrize(
    ("types", "heard", "code"),
    [
        (["websocket.accept", "websocket.send"], [], GONE),
        (["websocket.accept", "websocket.close"], [], 1000),
        (["websocket.accept"], ["websocket.disconnect"], None),
        (["websocket.http.response.start"], [], None),
        ([], [], None),
    ],
)
async def test_a_socket_that_nobody_closed_is_closed(
    types: Sequence[str], heard: Sequence[str], code: int | None
) -> None:
    """With a code that says: connect again. Others keep what the application or the client did."""
    sent = await closes(saying(*types, hears=len(heard)), *({"type": kind} for kind in heard))
    codes = [each["code"] for each in sent if each["type"] == "websocket.close"]
    assert codes == ([] if code is None else [code])


def answering(status: int, kind: str, *parts: bytes) -> ASGIApp:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        headers = [(b"Content-Type", kind.encode())]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        for part in parts:
            await send({"type": "http.response.body", "body": part, "more_body": True})
        await send({"type": "http.response.body", "body": b""})

    return app


@pytest.mark.parametrize(
    ("status", "kind", "wanted"),
    [
        (500, "text/plain", 503),
        (503, "text/plain", 503),
        (500, "application/json", 500),
        (404, "text/plain", 404),
        (200, "audio/mpeg", 200),
    ],
)
async def test_a_page_of_the_proxy_becomes_an_error(status: int, kind: str, wanted: int) -> None:
    """Of the usual shape, with a time to try again; what the application says stays."""
    app = Farewell(answering(status, kind, b"one", b"two"))
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test") as client:
        answer = await client.get("/")
    assert answer.status_code == wanted
    if kind == "text/plain" and wanted == 503:
        assert answer.json()["error"]["code"] == "replica_gone" and answer.headers["retry-after"] == "1"
    else:
        assert answer.content == b"onetwo" and "retry-after" not in answer.headers


def test_what_serve_asks_for() -> None:
    """A list of Starlette's middlewares."""
    (one,) = middlewares()
    assert str(one).count("Farewell")
