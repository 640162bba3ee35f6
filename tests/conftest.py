from __future__ import annotations

import os
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from blockbuster import BlockBuster, blockbuster_ctx
from fakes import FakeEngine, synthesizer_on

from moss_stream import StreamingSynthesizer

# No test may reach for a model hub.
os.environ["HF_HUB_OFFLINE"] = "1"
# Read when Triton is imported, by whatever imports it first: without a GPU kernels are interpreted.
if not any(Path("/dev").glob("nvidia[0-9]*")):
    os.environ["TRITON_INTERPRET"] = "1"


@pytest.fixture(autouse=True)
def _no_blocking_calls() -> Iterator[BlockBuster]:
    """Fail a test in which our code blocks the event loop."""
    with blockbuster_ctx("moss_stream") as detector:
        yield detector


@pytest.fixture
async def fake() -> AsyncIterator[tuple[StreamingSynthesizer, FakeEngine]]:
    """A synthesizer on a fake engine, and that engine."""
    engine = FakeEngine()
    async with await synthesizer_on(engine) as synth:
        yield synth, engine
