"""Bodies of requests: how large they may be, and how long they may take."""

from __future__ import annotations

import asyncio

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from moss_stream.server.http.problems import Problem, response

__all__ = ["BodyLimit"]

WHOLE_BODY = 2
"""Idle times that a whole body may take."""
MAX_DIGITS = 18
"""Of a length; Python refuses to read more than 4,300."""
END: Message = {"type": "http.request", "more_body": False}


class BodyLimit:
    """Refuses bodies that are too large, also those that do not say so, and those that do not come.

    Args:
        app: What is asked otherwise.
        most: Bytes of an upload.
        most_json: Bytes of any other body.
        patience_s: How long the next part of a body may take.
    """

    def __init__(self, app: ASGIApp, most: int, most_json: int, patience_s: float) -> None:
        self._app = app
        self._most = most
        self._most_json = most_json
        self._patience_s = patience_s

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """See ASGI."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = dict(scope["headers"])
        is_upload = headers.get(b"content-type", b"").lower().startswith(b"multipart/form-data")
        most = self._most if is_upload else self._most_json
        too_large = Problem(413, "too_large", f"The body is larger than {most} bytes.")
        length = headers.get(b"content-length", b"0")
        if length.isdigit() and (len(length) > MAX_DIGITS or int(length) > most):
            await response(too_large, scope)(scope, receive, send)
            return
        received, is_complete, is_refused, problem = 0, False, False, None
        end_s = asyncio.get_running_loop().time() + WHOLE_BODY * self._patience_s

        async def limited() -> Message:
            nonlocal received, is_complete, problem
            if problem is not None:  # who asks again waits for the client to go; it is as good as gone
                return {"type": "http.disconnect"}
            try:
                # A body must go on; after it the wait is for the client to go, and may be long.
                async with asyncio.timeout(None if is_complete else self._wait_s(end_s)):
                    message = await receive()
            except TimeoutError:
                problem = Problem(408, "too_slow", "The body did not come. Send it without pauses.")
                return END
            received += len(message.get("body", b""))
            is_complete = not message.get("more_body", False)
            problem = too_large if received > most else None
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
                await response(problem, scope)(scope, receive, send)

        await self._app(scope, limited, corrected)
        if problem is not None:
            await refuse(problem)

    def _wait_s(self, end_s: float) -> float:
        return max(0.0, min(self._patience_s, end_s - asyncio.get_running_loop().time()))
