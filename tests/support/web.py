"""A real server on loopback, and a client of it."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any

import httpx
import uvicorn
from fakes import FakeEngine, synthesizer_on
from fastapi import FastAPI
from limits import HANG_S

from benchmarks.serving import serving
from moss_stream import EngineOptions, StreamingSynthesizer


@asynccontextmanager
async def running(synth: StreamingSynthesizer, **settings: Any) -> AsyncIterator[httpx.AsyncClient]:
    """A client of a server of its own."""
    async with (
        serving(synth, **settings) as url,
        httpx.AsyncClient(base_url=url, timeout=HANG_S) as client,
    ):
        yield client


@asynccontextmanager
async def served(
    engine: FakeEngine | None = None, options: EngineOptions | None = None, **settings: Any
) -> AsyncIterator[tuple[httpx.AsyncClient, StreamingSynthesizer]]:
    """A client of a server on a fake engine, and its synthesizer."""
    async with await synthesizer_on(engine or FakeEngine(), options) as synth:
        async with running(synth, **settings) as client:
            yield client, synth


@asynccontextmanager
async def listening(app: FastAPI) -> AsyncIterator[str]:
    """The address of some other application."""
    server = uvicorn.Server(uvicorn.Config(app, port=0, log_config=None))
    running = asyncio.create_task(server.serve())
    while not server.started:
        await asyncio.sleep(0.001)
    yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    server.should_exit = True
    await running


@contextmanager
def served_beside(**settings: Any) -> Iterator[str]:
    """The address of a server on an event loop of its own, for clients that block."""
    started, stop, address = threading.Event(), asyncio.Event(), ""

    async def serve() -> None:
        nonlocal address
        async with served(**settings) as (client, _):
            address = str(client.base_url)
            started.set()
            await stop.wait()

    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=lambda: loop.run_until_complete(serve()))
    thread.start()
    started.wait()
    try:
        yield address
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join()
        loop.close()


async def idle(synth: StreamingSynthesizer) -> None:
    """Wait until no stream has a slot: it is free a moment after the client was told of the end."""
    async with asyncio.timeout(HANG_S):
        while synth.metrics.active:
            await asyncio.sleep(0)
