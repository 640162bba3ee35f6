from __future__ import annotations

import os
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from blockbuster import BlockBuster, blockbuster_ctx
from fakes import FakeEngine

from moss_stream import EngineOptions, StreamingSynthesizer
from moss_stream.engine.worker import Worker

# No test may reach for a model hub.
os.environ["HF_HUB_OFFLINE"] = "1"

GOLDEN = Path(__file__).parent / "golden"


@pytest.fixture(autouse=True)
def _no_blocking_calls() -> Iterator[BlockBuster]:
    """Fail a test in which our code blocks the event loop."""
    with blockbuster_ctx("moss_stream") as detector:
        yield detector



async def synthesizer_on(engine: FakeEngine, options: EngineOptions | None = None) -> StreamingSynthesizer:
    """Return a synthesizer that runs on `engine`."""
    worker = Worker(lambda: engine)
    return StreamingSynthesizer(worker, await worker.start(), options or EngineOptions())


@pytest.fixture
async def fake() -> AsyncIterator[tuple[StreamingSynthesizer, FakeEngine]]:
    """A synthesizer on a fake engine, and that engine."""
    engine = FakeEngine()
    async with await synthesizer_on(engine) as synth:
        yield synth, engine
