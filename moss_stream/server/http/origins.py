"""Which web pages may use the server: a browser sends requests for any page, its headers tell for which."""

from __future__ import annotations

from urllib.parse import SplitResult, urlsplit

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from moss_stream.quote import quoted
from moss_stream.server.http.problems import Problem, response
from moss_stream.server.settings import ServerSettings, is_loopback

__all__ = ["PageGuard"]


class PageGuard:
    """Refuses what pages of other origins send: for uploads and sockets browsers do not ask first (CORS).

    Without keys, on loopback, the server also answers to names of loopback only: a page whose name was made
    to mean this machine is of the same origin.

    Args:
        app: What is asked otherwise.
        settings: Say which pages are allowed.
    """

    def __init__(self, app: ASGIApp, settings: ServerSettings) -> None:
        self._app = app
        self._origins = settings.origins
        self._is_local = not settings.api_keys and not settings.is_open and is_loopback(settings.host)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """See ASGI."""
        problem = None if scope["type"] == "lifespan" else self._problem(Headers(scope=scope))
        if problem is None:
            await self._app(scope, receive, send)
        elif scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1008, "reason": str(problem)})
        else:
            await response(problem, scope)(scope, receive, send)

    def _problem(self, headers: Headers) -> Problem | None:
        host, origin = headers.get("host", ""), headers.get("origin")
        if self._is_local and not is_loopback(_parts(f"//{host}").hostname or "localhost"):
            message = f"This server is local; it is not {quoted(host)}. Give it an API key, or --open."
            return Problem(403, "wrong_host", message)
        if origin is None or origin in self._origins or _parts(origin).netloc == host:
            return None
        return Problem(403, "wrong_origin", f"Pages of {quoted(origin)} may not use this server (--origin).")


def _parts(url: str) -> SplitResult:
    try:
        return urlsplit(url)
    except ValueError:
        return urlsplit("//nowhere.invalid")
