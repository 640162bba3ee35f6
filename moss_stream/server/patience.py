"""How long the server waits for clients that have connected and then say nothing, or read nothing."""

from __future__ import annotations

import asyncio
from typing import Any

from starlette.types import ASGIApp, Message, Receive, Scope, Send
from uvicorn.protocols.http.h11_impl import H11Protocol

from moss_stream.server.problems import Problem, response
from moss_stream.server.state import state_of

__all__ = ["BodyLimit", "PatientProtocol"]


class PatientProtocol(H11Protocol):
    """uvicorn's HTTP; who connects must ask for something within the idle time, not hold the line."""

    def __init__(self, config: Any, *args: Any, **options: Any) -> None:
        super().__init__(config, *args, **options)
        self._patience_s = state_of(config.app).settings.idle_s
        self._waiting: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """See asyncio."""
        super().connection_made(transport)
        self._watch()

    def data_received(self, data: bytes) -> None:
        """See asyncio."""
        super().data_received(data)
        self._watch()

    def connection_lost(self, error: Exception | None) -> None:
        """See asyncio."""
        super().connection_lost(error)
        self._stop()

    def _watch(self) -> None:
        is_asking = self.cycle is not None and not self.cycle.response_complete
        if is_asking or self.transport.get_protocol() is not self:  # the latter is a WebSocket by now
            self._stop()
        elif self._waiting is None:
            self._waiting = self.loop.call_later(self._patience_s, self.transport.close)

    def _stop(self) -> None:
        if self._waiting is not None:
            self._waiting.cancel()
            self._waiting = None


class BodyLimit:
    """Refuses bodies that are too large, also those that do not say so, and those that do not come.

    Args:
        app: What is asked otherwise.
        most: Bytes.
        patience_s: How long the next part of a body may take.
    """

    def __init__(self, app: ASGIApp, most: int, patience_s: float) -> None:
        self._app = app
        self._most = most
        self._patience_s = patience_s

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """See ASGI."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        too_large = Problem(413, "too_large", f"The body is larger than {self._most} bytes.")
        length = dict(scope["headers"]).get(b"content-length", b"0")
        if length.isdigit() and int(length) > self._most:
            await response(too_large)(scope, receive, send)
            return
        received, is_complete, is_refused, problem = 0, False, False, None

        async def limited() -> Message:
            nonlocal received, is_complete, problem
            if problem is not None:  # who asks again waits for the client to go; it is as good as gone
                return {"type": "http.disconnect"}
            try:
                # A body must go on; after it the wait is for the client to go, and may be long.
                async with asyncio.timeout(None if is_complete else self._patience_s):
                    message = await receive()
            except TimeoutError:
                problem = Problem(408, "too_slow", "The body did not come. Send it without pauses.")
                return END
            received += len(message.get("body", b""))
            is_complete = not message.get("more_body", False)
            problem = too_large if received > self._most else None
            return END if problem is not None else message

        async def corrected(message: Message) -> None:
            """Answer with the refusal, whatever the application makes of a body that was cut off."""
            if problem is None:
                await send(message)
            else:
                await refuse(problem)

        async def refuse(problem: Problem) -> None:
            nonlocal is_refused
            if not is_refused:
                is_refused = True
                await response(problem)(scope, receive, send)

        await self._app(scope, limited, corrected)
        if problem is not None:
            await refuse(problem)


END: Message = {"type": "http.request", "more_body": False}
