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
from moss_stream.server.state import state_of
from moss_stream.server.wyoming.port import WyomingPort

__all__ = ["serving", "serving_all"]


@asynccontextmanager
async def serving(synth: StreamingSynthesizer, **settings: Any) -> AsyncIterator[str]:
    """Yield the address of a server on a free port."""
    async with serving_all(synth, **settings) as (url, _):
        yield url


@asynccontextmanager
async def serving_all(synth: StreamingSynthesizer, **settings: Any) -> AsyncIterator[tuple[str, int]]:
    """Yield the address of a server on a free port, and its port for Wyoming's clients."""
    limits = ServerSettings(port=0, **settings)
    app = create_app(synth, limits)
    wyoming = WyomingPort(state_of(app))
    server = Server(config_of(app, limits), wyoming)
    port = await wyoming.listen("127.0.0.1", 0)
    running = asyncio.create_task(server.serve())
    while not server.started:  # noqa: ASYNC110 (uvicorn has no event for it)
        await asyncio.sleep(0.001)
    try:
        yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}", port
    finally:
        server.should_exit = True
        await running
        await wyoming.aclose()
