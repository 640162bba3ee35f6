"""The server as a process: listens until it is asked to stop, then lets streams end."""

from __future__ import annotations

import asyncio
import contextlib
import socket

import uvicorn

from moss_stream import StreamingSynthesizer
from moss_stream.server.app import create_app
from moss_stream.server.settings import ServerSettings
from moss_stream.server.state import state_of

__all__ = ["run"]

DRAIN_S, CLOSE_S = 30, 5
"""How long streams may go on when the server is asked to stop, and connections after them."""


async def run(synth: StreamingSynthesizer, settings: ServerSettings) -> None:
    """Serve until SIGTERM or SIGINT; then take no more connections and let streams end for half a minute.

    The limits of the sockets are those of `settings`; PCM is sent without compression.
    """
    config = uvicorn.Config(
        create_app(synth, settings),
        host=settings.host,
        port=settings.port,
        ws="websockets-sansio",
        ws_per_message_deflate=False,
        ws_max_size=2 * settings.max_message_bytes,
        timeout_graceful_shutdown=CLOSE_S,
        server_header=False,
    )
    await _Server(config).serve()
    await synth.close(drain=True)


class _Server(uvicorn.Server):
    """Closes its sockets only when what they carry is spoken; uvicorn would close them at once."""

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        for server in self.servers:
            server.close()
        access = state_of(self.config.app).access  # type: ignore[arg-type]
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(access.wait_idle(), DRAIN_S)
        await super().shutdown(sockets)
