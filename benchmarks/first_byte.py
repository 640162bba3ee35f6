"""From the engine's first frame to the first PCM byte in a client's hands, on loopback.

    python -m benchmarks.first_byte [--runs 50]

The server, the clients and the embedded voice share this process; a frame counts from the moment the engine
returns it. Connections are opened before the text is given.
"""

from __future__ import annotations

import argparse
import asyncio
import time
from collections.abc import Sequence
from typing import Any

import httpx

from benchmarks.measure import p50_p95
from benchmarks.protocols import WAYS, Address
from benchmarks.serving import serving_all
from moss_stream import EngineOptions, StreamingSynthesizer
from moss_stream.embedded import embedded_model
from moss_stream.engine.load import load_engine
from moss_stream.engine.protocol import Frame, FrameKind
from moss_stream.engine.speech_engine import SpeechEngine
from moss_stream.engine.worker import Worker
from moss_stream.families.family import find
from moss_stream.hub import codec_of, locate

TEXT = "Good morning, how are you today?"


class WatchedEngine:
    """An engine that notes when it made the first frame since it was asked to."""

    def __init__(self, engine: SpeechEngine) -> None:
        self._engine = engine
        self.first_s: float | None = None

    def __getattr__(self, name: str) -> Any:
        return getattr(self._engine, name)

    def step(self, slots: Sequence[int]) -> list[Frame]:
        """Make a frame of each slot."""
        frames = self._engine.step(slots)
        if self.first_s is None and any(frame.kind is FrameKind.AUDIO for frame in frames):
            self.first_s = time.perf_counter()
        return frames


async def main(runs: int) -> None:
    """Print one line for each way in."""
    folder, options = embedded_model(), EngineOptions()
    codec = locate(codec_of(folder, find(folder).codec.repository))
    engine = WatchedEngine(load_engine(folder, codec, "auto", "auto", options))
    worker = Worker(lambda: engine, options.max_queue)
    async with (
        StreamingSynthesizer(worker, await worker.start(), options) as synth,
        serving_all(synth) as (url, port),
        httpx.AsyncClient(base_url=url) as client,
    ):
        address = Address(url, port, client)
        for name in WAYS:
            await _delay_ms(engine, address, name)
            delays_ms = [await _delay_ms(engine, address, name) for _ in range(runs)]
            p50, p95 = p50_p95(delays_ms)
            print(f"{name:24} p50 {p50:5.1f} ms   p95 {p95:5.1f} ms")


async def _delay_ms(engine: WatchedEngine, address: Address, name: str) -> float:
    engine.first_s, first_byte_s = None, 0.0

    def hear(num_bytes: int) -> None:
        nonlocal first_byte_s
        if num_bytes:
            first_byte_s = first_byte_s or time.perf_counter()

    await WAYS[name](address, TEXT, hear)
    assert engine.first_s is not None
    return (first_byte_s - engine.first_s) * 1000


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--runs", type=int, default=50)
    asyncio.run(main(parser.parse_args().runs))
