"""Who may use the server, and how much at a time."""

from __future__ import annotations

import asyncio
import hmac
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from moss_stream.server.problems import Problem
from moss_stream.server.settings import ServerSettings

__all__ = ["Access"]

OPEN = ""
"""The key of everybody, where none is asked for."""


class Access:
    """Checks keys and counts the streams of each."""

    def __init__(self, settings: ServerSettings) -> None:
        self._keys = settings.api_keys
        self._most = settings.streams_per_key
        self._streams: Counter[str] = Counter()
        self._over = asyncio.Event()

    def key(self, headers: Mapping[str, str], query: Mapping[str, str] | None = None) -> str:
        """Return the key of a request.

        Args:
            headers: `Authorization: Bearer KEY` or `X-API-Key: KEY`.
            query: Of a WebSocket, whose headers a web page cannot set: `api_key`.

        Raises:
            Problem: There is none, or it opens nothing.
        """
        if not self._keys:
            return OPEN
        scheme, _, given = headers.get("authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not given:
            given = headers.get("x-api-key") or (query or {}).get("api_key", "")
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
        if self._streams[key] >= self._most:
            raise Problem(
                429,
                "too_many_streams",
                f"{self._most} streams of this key are spoken already. End one of them.",
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
