"""What clients hear when the replica that spoke to them is gone.

Serve's proxies ask `middlewares` for this when RAY_SERVE_HTTP_PROXY_CALLBACK_IMPORT_PATH says
"moss_stream.cluster.farewell:middlewares". Left alone, a proxy closes a socket without a reason, and
answers a request whose answer had not begun with a page of text.
"""

from __future__ import annotations

import json
from typing import Any

from starlette.middleware import Middleware
from starlette.types import ASGIApp, Message, Receive, Scope, Send

__all__ = ["Farewell", "middlewares"]

GONE = 1012
"""Service restart (registered with IANA): connect again."""
RETRY_AFTER_S = 1
"""Serve knows by then that the replica is gone."""
TEXT = "The replica that spoke is gone. Try again: others are there."


def middlewares() -> list[Middleware]:
    """Return what Serve's proxies put around all applications."""
    return [Middleware(Farewell)]


class Farewell:
    """Ends what a dead replica left open, with a reason.

    Args:
        app: The proxy.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """See ASGI."""
        if scope["type"] == "websocket":
            await self._socket(scope, receive, send)
        elif scope["type"] == "http":
            await self._app(scope, receive, _Answer(send))
        else:
            await self._app(scope, receive, send)

    async def _socket(self, scope: Scope, receive: Receive, send: Send) -> None:
        is_open = False

        async def told(message: Message) -> None:
            nonlocal is_open
            is_open = message["type"] not in ("websocket.close", "websocket.http.response.start")
            await send(message)

        async def heard() -> Message:
            nonlocal is_open
            message = await receive()
            if message["type"] == "websocket.disconnect":
                is_open = False
            return message

        try:
            await self._app(scope, heard, told)
        finally:
            if is_open:
                await send({"type": "websocket.close", "code": GONE, "reason": TEXT})


class _Answer:
    """Replaces the page of a proxy whose replica failed before it answered."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self._is_replaced = False

    async def __call__(self, message: Message) -> None:
        """See ASGI."""
        if message["type"] == "http.response.start" and _is_proxys_own(message):
            self._is_replaced = True
            await self._send(_start())
        elif not self._is_replaced:
            await self._send(message)
        elif not message.get("more_body", False):
            await self._send({"type": "http.response.body", "body": _body()})


def _is_proxys_own(message: Message) -> bool:
    """Tell whether an answer is an error that no application of ours would send: theirs are JSON."""
    headers = {bytes(name).lower(): bytes(value) for name, value in message.get("headers", ())}
    is_json = headers.get(b"content-type", b"").startswith(b"application/json")
    return message["status"] in (500, 503) and not is_json


def _start() -> Message:
    headers = [
        (b"content-type", b"application/json"),
        (b"retry-after", str(RETRY_AFTER_S).encode()),
    ]
    return {"type": "http.response.start", "status": 503, "headers": headers}


def _body() -> bytes:
    error: dict[str, Any] = {"type": "server_error", "code": "replica_gone", "message": TEXT, "param": None}
    return json.dumps({"error": error}).encode()
