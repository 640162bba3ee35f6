"""A real server on loopback."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import uvicorn
from fakes import FakeEngine, synthesizer_on

from moss_stream import EngineOptions, StreamingSynthesizer
from moss_stream.server.app import create_app
from moss_stream.server.settings import ServerSettings


@asynccontextmanager
async def running(synth: StreamingSynthesizer, **settings: Any) -> AsyncIterator[httpx.AsyncClient]:
    """A client of a server of its own."""
    config = uvicorn.Config(
        create_app(synth, ServerSettings(**settings)), port=0, log_config=None, ws="websockets-sansio"
    )
    server = uvicorn.Server(config)
    serving = asyncio.create_task(server.serve())
    while not server.started:
        await asyncio.sleep(0.001)
    port = server.servers[0].sockets[0].getsockname()[1]
    try:
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=10) as client:
            yield client
    finally:
        server.should_exit = True
        await serving


@asynccontextmanager
async def served(
    engine: FakeEngine | None = None, options: EngineOptions | None = None, **settings: Any
) -> AsyncIterator[tuple[httpx.AsyncClient, StreamingSynthesizer]]:
    """A client of a server on a fake engine, and its synthesizer."""
    async with await synthesizer_on(engine or FakeEngine(), options) as synth:
        async with running(synth, **settings) as client:
            yield client, synth
