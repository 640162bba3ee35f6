"""How long the server waits for clients that have connected and then say nothing, or read nothing."""

from __future__ import annotations

import asyncio
import socket
from typing import Any

from uvicorn.protocols.http.h11_impl import H11Protocol
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

from moss_stream.server.state import state_of

__all__ = ["PatientProtocol", "PatientSocketProtocol"]

SEND_BUFFER = 64 << 10
"""Bytes that the operating system takes ahead of a client: 1.4 s of PCM, 8 s of MP3. Left alone it takes
megabytes, a minute and a half of PCM. Across an ocean (150 ms) it still lets nine times as much through as
PCM is played."""
CUT_S = 2.0
"""How long after the idle time a client that takes nothing is cut off; its streams have ended by then."""


class _Cut:
    """Cuts off a client that takes nothing: a connection in order closes only when all of it was taken."""

    def __init__(self, patience_s: float) -> None:
        self._patience_s = patience_s + CUT_S
        self._timer: asyncio.TimerHandle | None = None

    def start(self, transport: asyncio.Transport) -> None:
        """The client does not take what is sent."""
        self.stop()
        self._timer = asyncio.get_running_loop().call_later(self._patience_s, transport.abort)

    def stop(self) -> None:
        """It does, or is gone."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None


class PatientProtocol(H11Protocol):
    """uvicorn's HTTP; who connects must ask for something within the idle time, not hold the line."""

    def __init__(self, config: Any, *args: Any, **options: Any) -> None:
        super().__init__(config, *args, **options)
        state = state_of(config.app)
        self._patience_s = state.settings.idle_s
        self._places = state.places
        self._waiting: asyncio.TimerHandle | None = None
        self._cut = _Cut(self._patience_s)

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """See asyncio."""
        super().connection_made(transport)
        # No audio beside what the operating system holds: each buffer is audio that may be made for nobody.
        transport.set_write_buffer_limits(high=0)
        if (sock := transport.get_extra_info("socket")) is not None:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER)
        self._watch()
        self._places.open(self)

    def data_received(self, data: bytes) -> None:
        """See asyncio."""
        super().data_received(data)
        self._watch()

    def connection_lost(self, error: Exception | None) -> None:
        """See asyncio."""
        super().connection_lost(error)
        self._stop()
        self._cut.stop()
        self._places.close(self)

    def handle_websocket_upgrade(self, event: Any) -> None:
        """See uvicorn."""
        self._places.close(self)  # a line is counted once
        super().handle_websocket_upgrade(event)

    def on_response_complete(self) -> None:
        """See uvicorn."""
        super().on_response_complete()
        self._watch()

    def pause_writing(self) -> None:
        """See asyncio."""
        super().pause_writing()
        self._cut.start(self.transport)

    def resume_writing(self) -> None:
        """See asyncio."""
        super().resume_writing()
        self._cut.stop()

    def _watch(self) -> None:
        is_asking = self.cycle is not None and not self.cycle.response_complete
        if self.transport.get_protocol() is not self:  # it is a WebSocket by now
            self._stop()
            self._places.close(self)
        elif is_asking:
            self._stop()
            self._places.work(self)
        elif self._waiting is None:
            self._waiting = self.loop.call_later(self._patience_s, self.transport.close)
            self._places.rest(self, self.transport.abort)

    def _stop(self) -> None:
        if self._waiting is not None:
            self._waiting.cancel()
            self._waiting = None


class PatientSocketProtocol(WebSocketsSansIOProtocol):
    """uvicorn's WebSocket, on a connection that `PatientProtocol` has made."""

    def __init__(self, config: Any, *args: Any, **options: Any) -> None:
        super().__init__(config, *args, **options)
        state = state_of(config.app)
        self._places = state.places
        self._cut = _Cut(state.settings.idle_s)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """See asyncio."""
        super().connection_made(transport)
        self._places.open(self)

    def connection_lost(self, error: Exception | None) -> None:
        """See asyncio."""
        super().connection_lost(error)
        self._cut.stop()
        self._places.close(self)

    def pause_writing(self) -> None:
        """See asyncio."""
        super().pause_writing()
        self._cut.start(self.transport)

    def resume_writing(self) -> None:
        """See asyncio."""
        super().resume_writing()
        self._cut.stop()

    async def send(self, message: Any) -> None:
        """See ASGI."""
        await super().send(message)
        if message["type"] == "websocket.http.response.body" and not message.get("more_body", False):
            self.handshake_complete = True  # refused, with an answer: uvicorn would log that it got none
