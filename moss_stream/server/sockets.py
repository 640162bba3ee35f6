"""A WebSocket with its limits: one task reads, one writes, and a slow client holds up itself alone."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from fastapi import WebSocket, WebSocketDisconnect

from moss_stream.server.http.client_lag import ClientLag
from moss_stream.server.http.problems import Problem
from moss_stream.server.state import State, state_of

__all__ = ["POLICY_VIOLATION", "Socket", "accepted"]

QUEUE = 12
"""Messages that wait for a slow client before its streams are halted: a second of audio."""
CLOSE_S = 1.0
"""Longer than a round trip to anywhere; a client that has gone without a word answers never."""
NORMAL, GOING_AWAY, POLICY_VIOLATION, TOO_BIG = 1000, 1001, 1008, 1009
"""Close codes of RFC 6455, section 7.4.1."""


async def accepted(socket: WebSocket) -> tuple[State, str] | None:
    """Accept a socket and return the server's state and the client's key; None if it has no valid one."""
    state = state_of(socket.app)
    try:
        key = state.access.key(socket.headers, socket.query_params)
    except Problem as problem:
        await socket.close(POLICY_VIOLATION, str(problem)[:120])
        return None
    await socket.accept()
    return state, key


@dataclass(frozen=True, slots=True)
class _End:
    code: int
    reason: str


class Socket:
    """One connection.

    Args:
        socket: Accepted.
        state: Of the server.
    """

    def __init__(self, socket: WebSocket, state: State) -> None:
        self._socket = socket
        self._settings = state.settings
        self._places = state.places
        self._reader = ClientLag(state)
        self._is_given_up = asyncio.Event()
        self._queue: asyncio.Queue[str | bytes | _End] = asyncio.Queue(QUEUE)
        self._num_sent = 0

    async def send(self, message: str | bytes) -> None:
        """Queue a message; waits while the client is slow."""
        await self._queue.put(message)

    async def end(self, code: int = NORMAL, reason: str = "") -> None:
        """Close the connection when all that waits is sent."""
        await self._queue.put(_End(code, reason))

    async def serve(self, take: Callable[[str], Awaitable[None]], is_idle: Callable[[], bool]) -> None:
        """Read until the client has gone, nothing was read or sent for too long, or its time is used up.

        Args:
            take: Is given each text message; a binary one is given as an empty text.
            is_idle: Tells whether the connection can be given up when places run short.
        """
        with self._places.socket(self, is_idle, self._is_given_up.set):
            await self._serve(take)

    async def _serve(self, take: Callable[[str], Awaitable[None]]) -> None:
        giving_up = asyncio.create_task(self._is_given_up.wait())
        reading = asyncio.create_task(self._read_all(take))
        tasks = {asyncio.create_task(self._write_all()), reading, giving_up}
        try:
            done, _ = await asyncio.wait(
                tasks, timeout=self._settings.total_s, return_when=asyncio.FIRST_COMPLETED
            )
            if not done:
                await self._close(GOING_AWAY, "This connection was open for as long as one may be.")
            elif giving_up in done:
                await self._close(GOING_AWAY, "Nothing is said here, and others need the place.")
            elif reading in done:
                reading.result()
        finally:
            # A client that does not read may have halted what its own messages wanted to answer.
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks)

    async def _read_all(self, take: Callable[[str], Awaitable[None]]) -> None:
        reading = asyncio.create_task(self._read())
        try:
            while True:
                num_sent = self._num_sent
                await asyncio.wait([reading], timeout=self._settings.idle_s)
                if reading.done():
                    text = reading.result()
                    if text is None:
                        return
                    self._places.heard(self)
                    await take(text)
                    reading = asyncio.create_task(self._read())
                elif num_sent == self._num_sent:
                    await self._close(GOING_AWAY, "Nothing happened for too long.")
                    return
        finally:
            reading.cancel()

    async def _read(self) -> str | None:
        """Return the next message; None when the client has gone or sent what is too large."""
        try:
            message = await self._socket.receive()
        except (WebSocketDisconnect, RuntimeError):
            return None
        if message["type"] != "websocket.receive":
            return None
        content = message.get("text") or message.get("bytes") or ""
        if len(content) > self._settings.max_message_bytes:
            await self._close(TOO_BIG, "A message is too large.")
            return None
        return content if isinstance(content, str) else ""

    async def _write_all(self) -> None:
        # A client that does not read is given up: its streams would hold their slots.
        with contextlib.suppress(WebSocketDisconnect, RuntimeError, TimeoutError):
            while True:
                item = await self._queue.get()
                if isinstance(item, _End):
                    await self._close(item.code, item.reason)
                    return
                send = self._socket.send_text if isinstance(item, str) else self._socket.send_bytes
                async with self._reader.reads():
                    await send(item)  # type: ignore[arg-type]
                self._num_sent += 1

    async def _close(self, code: int, reason: str) -> None:
        # A client that reads nothing does not hear of it either.
        with contextlib.suppress(RuntimeError, WebSocketDisconnect, TimeoutError):
            async with asyncio.timeout(CLOSE_S):
                await self._socket.close(code, reason)
