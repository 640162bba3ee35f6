"""What a full replica does with a request: it gives it to another one, and refuses only when all are full."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import aclosing
from typing import Any, Protocol

from starlette.types import ASGIApp, Message, Receive, Scope, Send

__all__ = ["HandOn", "Others", "relayed"]

HANDED_ON = "moss.handed_on"
"""In the scope of a request that came from another replica: it is not handed on again."""
CARRIED = frozenset("type http_version method scheme path raw_path query_string root_path headers".split())
"""What of a scope travels; the rest belongs to the process."""
FULL = 503
"""The status that says so, in every protocol of the server."""
PATIENCE_S = 8.0
"""For the first word of another replica, longer than streams wait there for a slot."""
AHEAD = 64
"""Messages of an answer that wait for Serve to take them: five seconds of speech."""

logger = logging.getLogger("moss_stream.cluster")


class Others(Protocol):
    """The other replicas."""

    def hand_on(self, scope: Mapping[str, Any], body: bytes) -> AsyncGenerator[Message]:
        """Give a request to one of them; yield its answer, or nothing where there is no other."""


class HandOn:
    """Stands before the application of a replica.

    Args:
        app: Answers what it can.
        others: Take what it refuses for lack of slots.
    """

    def __init__(self, app: ASGIApp, others: Others) -> None:
        self._app = app
        self._others = others

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """See ASGI."""
        if scope["type"] != "http" or scope["method"] != "POST" or HANDED_ON in scope:
            await self._app(scope, receive, send)
            return
        body, refusal = bytearray(), _Refusal(send)

        async def heard() -> Message:
            message = await receive()
            body.extend(message.get("body", b""))
            return message

        await self._app(scope, heard, refusal)
        if refusal.held and not await self._answered(scope, bytes(body), send):
            for message in refusal.held:
                await send(message)

    async def _answered(self, scope: Scope, body: bytes, send: Send) -> bool:
        """Pass the answer of another replica on; return whether it took the request."""
        carried = {key: value for key, value in scope.items() if key in CARRIED}
        async with aclosing(self._others.hand_on(carried, body)) as answer:
            try:
                first = await asyncio.wait_for(anext(answer, None), PATIENCE_S)
            except TimeoutError:
                return False
            if first is None or first.get("status") == FULL:
                return False
            await send(first)
            async for message in answer:
                await send(message)
        return True


class _Refusal:
    """Keeps an answer that says that there is no slot, and passes every other one on."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self.held: list[Message] = []

    async def __call__(self, message: Message) -> None:
        """See ASGI."""
        if self.held or (message["type"] == "http.response.start" and message["status"] == FULL):
            self.held.append(message)
        else:
            await self._send(message)


async def relayed(app: ASGIApp, scope: Mapping[str, Any], body: bytes) -> AsyncIterator[Message]:
    """Answer a request that another replica handed on.

    Closing the iterator cancels the request, as a client does that leaves.

    Args:
        app: Of this replica.
        scope: Of the request.
        body: All of it.
    """
    messages: asyncio.Queue[Message | None] = asyncio.Queue(AHEAD)
    is_read = False

    async def receive() -> Message:
        nonlocal is_read
        if is_read:
            await asyncio.Event().wait()  # until it is cancelled
        is_read = True
        return {"type": "http.request", "body": body, "more_body": False}

    async def run() -> None:
        try:
            await app({**scope, HANDED_ON: True}, receive, messages.put)
        except Exception:
            logger.exception("A request of another replica failed.")
        await messages.put(None)

    running = asyncio.create_task(run())
    try:
        while (message := await messages.get()) is not None:
            yield message
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
