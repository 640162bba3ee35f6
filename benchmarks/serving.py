"""A real server on loopback, in this process."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import uvicorn

from moss_stream import StreamingSynthesizer
from moss_stream.server.app import create_app
from moss_stream.server.settings import ServerSettings

__all__ = ["serving"]


@asynccontextmanager
async def serving(synth: StreamingSynthesizer, **settings: Any) -> AsyncIterator[str]:
    """Yield the address of a server on a free port."""
    app = create_app(synth, ServerSettings(**settings))
    config = uvicorn.Config(
        app, port=0, log_config=None, ws="websockets-sansio", ws_per_message_deflate=False
    )
    server = uvicorn.Server(config)
    running = asyncio.create_task(server.serve())
    while not server.started:  # noqa: ASYNC110 (uvicorn has no event for it)
        await asyncio.sleep(0.001)
    port = server.servers[0].sockets[0].getsockname()[1]
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        server.should_exit = True
        await running
