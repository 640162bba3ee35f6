"""The server as a process: listens until it is asked to stop, then lets streams end."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
from typing import Any

import uvicorn
from fastapi import FastAPI

from moss_stream import StreamingSynthesizer
from moss_stream.server import logs
from moss_stream.server.app import create_app
from moss_stream.server.http.idle_limits import PatientProtocol, PatientSocketProtocol
from moss_stream.server.settings import ServerSettings
from moss_stream.server.state import state_of
from moss_stream.server.wyoming.port import WyomingPort, wyoming_address

__all__ = ["Server", "allow_files", "config_of", "run"]

logger = logging.getLogger("moss_stream.server")

DRAIN_S, CLOSE_S = 30, 5
"""How long streams may go on when the server is asked to stop, and connections after them; what is still
spoken then gets as long once more."""
PING_S = 5
"""How often a WebSocket is asked whether it is there, and how long it may take to answer: a client that drops
its socket without closing it (LiveKit's plugin does) would hold its slot until then."""

OTHER_FILES = 256
"""Files that are open besides connections: of the model, of calls, of uploads."""


def config_of(
    app: FastAPI, settings: ServerSettings, log_config: dict[str, Any] | None = None
) -> uvicorn.Config:
    """Return how to serve an application: with its limits, and PCM without compression."""
    return uvicorn.Config(
        app,
        host=settings.host,
        port=settings.port,
        http=PatientProtocol,  # h11, which also bounds headers
        ws=PatientSocketProtocol,
        ws_per_message_deflate=False,
        ws_max_size=2 * settings.max_message_bytes,
        ws_ping_interval=PING_S,
        ws_ping_timeout=PING_S,
        timeout_graceful_shutdown=CLOSE_S,
        server_header=False,
        access_log=False,
        log_config=log_config,
    )


async def run(synth: StreamingSynthesizer, settings: ServerSettings) -> None:
    """Serve until SIGTERM or SIGINT; then take no more connections and let streams end for half a minute."""
    app = create_app(synth, settings)
    allow_files(2 * settings.max_connections + OTHER_FILES)
    listener = WyomingPort(state_of(app))
    server = Server(config_of(app, settings, logs.config(settings.logs_json)), listener)
    if settings.wyoming is not None:
        host, port = wyoming_address(settings.wyoming, settings)
        port = await listener.listen(host, port)
        logger.info("Wyoming's clients are served on tcp://%s:%d", host, port)
    await server.serve()
    await listener.aclose()
    await synth.close(drain=True, drain_s=CLOSE_S)


class Server(uvicorn.Server):
    """Closes its sockets only when what they carry is spoken; uvicorn would close them at once.

    Args:
        config: What is served, and how.
        listener: Stops taking connections when the server does.
    """

    def __init__(self, config: uvicorn.Config, listener: WyomingPort | None = None) -> None:
        super().__init__(config)
        self._listener = listener

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """See uvicorn."""
        if self._listener is not None:
            self._listener.stop()
        for server in self.servers:
            server.close()
        access = state_of(self.config.app).access  # type: ignore[arg-type]
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(access.wait_idle(), DRAIN_S)
        await super().shutdown(sockets)


def allow_files(wanted: int) -> None:
    """Let the process open so many files, connections included, if the system lets it.

    Many systems give a process 1,024 unless it asks; then it is the system that turns connections away.
    """
    try:
        import resource
    except ImportError:  # on Windows there is no such limit
        return
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
    if soft != resource.RLIM_INFINITY and soft < most:
        with contextlib.suppress(ValueError, OSError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))
