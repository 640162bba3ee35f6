"""A real server on loopback, in this process."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from moss_stream import StreamingSynthesizer
from moss_stream.server.app import create_app
from moss_stream.server.run import Server, config_of
from moss_stream.server.settings import ServerSettings

__all__ = ["serving"]


@asynccontextmanager
async def serving(synth: StreamingSynthesizer, **settings: Any) -> AsyncIterator[str]:
    """Yield the address of a server on a free port."""
    limits = ServerSettings(port=0, **settings)
    server = Server(config_of(create_app(synth, limits), limits))
    running = asyncio.create_task(server.serve())
    while not server.started:  # noqa: ASYNC110 (uvicorn has no event for it)
        await asyncio.sleep(0.001)
    port = server.servers[0].sockets[0].getsockname()[1]
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        server.should_exit = True
        await running
