"""Who is connected, and who makes room when places run short: the idle ones, the oldest first."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from starlette.types import ASGIApp, Receive, Scope, Send

from moss_stream.server.http.problems import Problem, response

__all__ = ["HEALTH", "PlaceGuard", "Places"]

HEALTH = frozenset({"/healthz", "/readyz"})
"""Always served: who looks after the server must hear from it when it is full, then most of all."""
SPARE = 8
"""Connections beyond those that are served: health, and the answer that there is no place."""


class Places:
    """Counts connections, and what is served on them.

    Args:
        most: Requests and sockets that are served at the same time.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._lines: set[object] = set()
        self._idle_lines: dict[object, Callable[[], None]] = {}
        self._sockets: dict[object, tuple[Callable[[], bool], Callable[[], None]]] = {}
        self._num_served = 0

    def open(self, line: object) -> None:
        """Note a connection. If there are too many, give up the one that has asked for nothing longest."""
        self._lines.add(line)
        while len(self._lines) > self._most + SPARE and self._idle_lines:
            oldest = next(iter(self._idle_lines))
            give_up = self._idle_lines.pop(oldest)
            self._lines.discard(oldest)
            give_up()

    def rest(self, line: object, give_up: Callable[[], None]) -> None:
        """Note that a connection asks for nothing from now on; `give_up` ends it."""
        self._idle_lines.setdefault(line, give_up)

    def work(self, line: object) -> None:
        """Note that a connection asks for something."""
        self._idle_lines.pop(line, None)

    def close(self, line: object) -> None:
        """Note that a connection is over."""
        self._idle_lines.pop(line, None)
        self._lines.discard(line)

    @contextmanager
    def socket(
        self, socket: object, is_idle: Callable[[], bool], give_up: Callable[[], None]
    ) -> Iterator[None]:
        """Note a WebSocket while it is open: it can be given up while `is_idle` says so."""
        self._sockets[socket] = is_idle, give_up
        try:
            yield
        finally:
            self._sockets.pop(socket, None)

    def heard(self, socket: object) -> None:
        """Note that a WebSocket has sent something: it is the last to be given up."""
        if (found := self._sockets.pop(socket, None)) is not None:
            self._sockets[socket] = found

    @contextmanager
    def served(self) -> Iterator[None]:
        """Take a place while something is served.

        Raises:
            Problem: All are taken, and nobody who has one is idle.
        """
        if self._num_served >= self._most and not self._give_up_socket():
            raise Problem(503, "overloaded", f"{self._most} requests are served already. Try again later.")
        self._num_served += 1
        try:
            yield
        finally:
            self._num_served -= 1

    def _give_up_socket(self) -> bool:
        oldest = next((socket for socket, (is_idle, _) in self._sockets.items() if is_idle()), None)
        if oldest is None:
            return False
        self._sockets.pop(oldest)[1]()
        return True


class PlaceGuard:
    """Serves as many requests and sockets as there are places, and health besides.

    Args:
        app: What is asked.
        places: Those.
    """

    def __init__(self, app: ASGIApp, places: Places) -> None:
        self._app = app
        self._places = places

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """See ASGI."""
        if scope["type"] == "lifespan" or scope["path"] in HEALTH:
            await self._app(scope, receive, send)
            return
        place = self._places.served()
        try:
            place.__enter__()
        except Problem as problem:
            await response(problem, scope)(scope, receive, send)
            return
        try:
            await self._app(scope, receive, send)
        finally:
            place.__exit__(None, None, None)
