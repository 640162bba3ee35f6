"""The server as a process: listens until it is asked to stop, then lets streams end."""

from __future__ import annotations

import uvicorn

from moss_stream import StreamingSynthesizer
from moss_stream.server.app import create_app
from moss_stream.server.settings import ServerSettings

__all__ = ["run"]

DRAIN_S = 30


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
        timeout_graceful_shutdown=DRAIN_S,
        server_header=False,
    )
    await uvicorn.Server(config).serve()
    await synth.close(drain=True)
