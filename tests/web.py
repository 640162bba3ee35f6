"""A real server on loopback, and a client of it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
from fakes import FakeEngine, synthesizer_on

from benchmarks.serving import serving
from moss_stream import EngineOptions, StreamingSynthesizer


@asynccontextmanager
async def running(synth: StreamingSynthesizer, **settings: Any) -> AsyncIterator[httpx.AsyncClient]:
    """A client of a server of its own."""
    async with (
        serving(synth, **settings) as url,
        httpx.AsyncClient(base_url=url, timeout=10) as client,
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
