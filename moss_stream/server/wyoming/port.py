"""The port that Wyoming's clients ask, beside HTTP's."""

from __future__ import annotations

import asyncio
import contextlib
from urllib.parse import urlsplit

from moss_stream.errors import ConfigError
from moss_stream.quote import quoted
from moss_stream.server.http.problems import Problem
from moss_stream.server.settings import ServerSettings, is_loopback
from moss_stream.server.state import State
from moss_stream.server.wyoming.frames import WyomingEvent, read_event
from moss_stream.server.wyoming.handler import Handler

__all__ = ["WyomingPort", "wyoming_address"]


CLOSE_S = 1.0
"""Longer than a round trip to anywhere."""


def wyoming_address(uri: str, settings: ServerSettings) -> tuple[str, int]:
    """Return host and port of an address such as `tcp://127.0.0.1:10200`.

    Raises:
        ConfigError: It is none, or lets strangers in.
    """
    try:
        parts = urlsplit(uri)
        host, port = parts.hostname, parts.port
    except ValueError:
        parts, host, port = urlsplit(""), None, None
    if parts.scheme != "tcp" or not host or port is None:
        raise ConfigError(f"{quoted(uri)} is no address of Wyoming. Give one such as tcp://127.0.0.1:10200.")
    if not is_loopback(host) and not settings.is_open:
        raise ConfigError(
            f"{quoted(uri)} can be reached from other machines, and Wyoming has no keys. "
            "Say that it is open (--open), or give an address of loopback."
        )
    return host, port


async def _close(writer: asyncio.StreamWriter) -> None:
    """Close a connection; a client that does not take the last of it is cut off."""
    writer.close()
    try:
        async with asyncio.timeout(CLOSE_S):
            await writer.wait_closed()
    except (OSError, TimeoutError):
        writer.transport.abort()


class WyomingPort:
    """Takes connections until it is closed.

    Args:
        state: Of the server.
    """

    def __init__(self, state: State) -> None:
        self._state = state
        self._most = state.settings.max_message_bytes
        self._server: asyncio.Server | None = None
        self._connections: set[asyncio.Task[None]] = set()

    async def listen(self, host: str, port: int) -> int:
        """Begin; return the port, which is a free one if 0 was asked for."""
        self._server = await asyncio.start_server(self._connected, host, port, limit=self._most)
        return int(self._server.sockets[0].getsockname()[1])

    def stop(self) -> None:
        """Take no more connections; those there are go on."""
        if self._server is not None:
            self._server.close()

    async def aclose(self) -> None:
        """End all connections."""
        self.stop()
        connections = list(self._connections)
        for connection in connections:
            connection.cancel()
        await asyncio.gather(*connections, return_exceptions=True)
        if self._server is not None:
            await self._server.wait_closed()

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._connections.add(task)
        handler, is_given_up = Handler(self._state, writer), asyncio.Event()
        places = self._state.places
        try:
            with places.served(), places.socket(handler, lambda: handler.is_idle, is_given_up.set):
                async with asyncio.timeout(self._state.settings.total_s):
                    await self._serve(reader, handler, is_given_up)
        except Problem as problem:
            with contextlib.suppress(OSError, TimeoutError):
                await handler.tell(problem)
        except (OSError, TimeoutError):
            pass  # the client is gone, or its time is used up
        finally:
            try:
                await handler.aclose()
            finally:
                await _close(writer)
                self._connections.discard(task)

    async def _serve(
        self, reader: asyncio.StreamReader, handler: Handler, is_given_up: asyncio.Event
    ) -> None:
        giving_up = asyncio.create_task(is_given_up.wait())
        try:
            while (event := await self._next(reader, handler, giving_up)) is not None:
                self._state.places.heard(handler)
                await handler.take(event)
        finally:
            giving_up.cancel()

    async def _next(
        self, reader: asyncio.StreamReader, handler: Handler, giving_up: asyncio.Task[bool]
    ) -> WyomingEvent | None:
        """Return the next event; None at the end, and when the connection is idle or given up."""
        reading = asyncio.create_task(read_event(reader, self._most))
        try:
            while True:
                num_sent = handler.num_sent
                await asyncio.wait(
                    [reading, giving_up],
                    timeout=self._state.settings.idle_s,
                    return_when=asyncio.FIRST_COMPLETED,
                )
                if reading.done():
                    return reading.result()
                if giving_up.done() or num_sent == handler.num_sent:
                    return None
        finally:
            reading.cancel()
