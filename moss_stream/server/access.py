"""Who may use the server, and how much at a time."""

from __future__ import annotations

import asyncio
import hmac
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from moss_stream.server.http.connections import HEALTH
from moss_stream.server.http.problems import Problem, response
from moss_stream.server.settings import ServerSettings

__all__ = ["OPEN", "Access", "KeyGuard"]

PUBLIC = HEALTH | {"/", "/docs", "/docs/oauth2-redirect", "/redoc", "/openapi.json"}
PUBLIC_FOLDER = "/page/"
"""What everybody may read: health, the page, and how the server is to be asked."""

OPEN = ""
"""The key of everybody, where none is asked for."""


class Access:
    """Checks keys and counts the streams of each.

    Args:
        settings: With the keys, and how many streams each may have.
        max_streams: What the engine can speak at once: what each of several keys may have if the settings do
            not say. A single key, or none, has no limit but the engine's, its queue included.
    """

    def __init__(self, settings: ServerSettings, max_streams: int | None = None) -> None:
        self._keys = settings.api_keys
        fair = max_streams if len(set(self._keys)) > 1 else None
        self._most = fair if settings.streams_per_key is None else settings.streams_per_key
        self._streams: Counter[str] = Counter()
        self._over = asyncio.Event()

    def key(self, headers: Mapping[str, str], query: Mapping[str, str] | None = None) -> str:
        """Return the key of a request.

        Args:
            headers: `Authorization: Bearer KEY` (or `Token KEY`, as Deepgram's clients say), `X-API-Key: KEY`
                or `xi-api-key: KEY`, as those of ElevenLabs do.
            query: Of a WebSocket, whose headers a web page cannot set: `api_key`, or `access_token`.

        Raises:
            Problem: There is none, or it opens nothing.
        """
        if not self._keys:
            return OPEN
        scheme, _, given = headers.get("authorization", "").partition(" ")
        if scheme.lower() not in ("bearer", "token") or not given:
            asked = query or {}
            given = headers.get("x-api-key") or headers.get("xi-api-key") or asked.get("api_key", "")
            given = given or asked.get("access_token", "")
        # Every key is compared, each in constant time: the answer's timing tells nothing.
        found = [key for key in self._keys if hmac.compare_digest(key.encode(), given.encode())]
        if not found:
            raise Problem(401, "invalid_api_key", "Give a valid API key: `Authorization: Bearer KEY`.")
        return found[0]

    @contextmanager
    def stream(self, key: str) -> Iterator[None]:
        """Count a stream of a key while it lasts.

        Raises:
            Problem: It has as many as it may have.
        """
        if self._most is not None and self._streams[key] >= self._most:
            raise Problem(
                429,
                "too_many_streams",
                f"This key has as many streams as it may have at once ({self._most}). "
                "Try again when one of them is over.",
            )
        self._streams[key] += 1
        try:
            yield
        finally:
            self._streams[key] -= 1
            self._over.set()

    async def wait_idle(self) -> None:
        """Wait until no stream is spoken."""
        while self._streams.total():
            self._over.clear()
            await self._over.wait()


class KeyGuard:
    """Asks for the key before anything else is looked at: no body of a stranger is read, or judged.

    Sockets are asked when they are accepted, since a web page gives their key in the address.

    Args:
        app: What is asked otherwise.
        access: Knows the keys.
    """

    def __init__(self, app: ASGIApp, access: Access) -> None:
        self._app = app
        self._access = access

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """See ASGI."""
        if scope["type"] == "http" and not _is_public(scope["path"]):
            try:
                self._access.key(Headers(scope=scope))
            except Problem as problem:
                await response(problem, scope)(scope, receive, send)
                return
        await self._app(scope, receive, send)


def _is_public(path: str) -> bool:
    return path in PUBLIC or path.startswith(PUBLIC_FOLDER)
