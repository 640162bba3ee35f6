"""From the engine's first frame to the first PCM byte in a client's hands, on loopback.

    python -m benchmarks.first_byte [--runs 50]

The server, the clients and the embedded voice share this process; a frame counts from the moment the engine
returns it. Over HTTP a connection is kept open; a socket is opened once.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import httpx
from websockets.asyncio.client import ClientConnection, connect

from benchmarks.measure import p50_p95
from benchmarks.serving import serving
from moss_stream import EngineOptions, StreamingSynthesizer
from moss_stream.embedded import embedded_model
from moss_stream.engine.load import load_engine
from moss_stream.engine.protocol import Frame, FrameKind
from moss_stream.engine.speech_engine import SpeechEngine
from moss_stream.engine.worker import Worker
from moss_stream.families.family import find
from moss_stream.hub import codec_of, locate

TEXT = "Good morning, how are you today?"
PCM = {"container": "raw", "encoding": "pcm_s16le", "sample_rate": 24_000}


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
        serving(synth) as url,
        httpx.AsyncClient(base_url=url) as client,
        connect(url.replace("http", "ws") + "/v1/speak", compression=None) as socket,
        connect(url.replace("http", "ws") + "/tts/websocket", compression=None) as cartesia,
    ):
        ways: dict[str, Callable[[], Awaitable[float]]] = {
            "POST /v1/audio/speech": lambda: _over_http(client),
            "WS /v1/speak": lambda: _over_socket(socket),
            "WS /tts/websocket": lambda: _over_cartesia(cartesia),
        }
        for name, way in ways.items():
            await way()
            delays_ms = [await _delay_ms(engine, way) for _ in range(runs)]
            p50, p95 = p50_p95(delays_ms)
            print(f"{name:22} p50 {p50:5.1f} ms   p95 {p95:5.1f} ms")


async def _delay_ms(engine: WatchedEngine, way: Callable[[], Awaitable[float]]) -> float:
    engine.first_s = None
    first_byte_s = await way()
    assert engine.first_s is not None
    return (first_byte_s - engine.first_s) * 1000


async def _over_http(client: httpx.AsyncClient) -> float:
    first_s = 0.0
    body = {"input": TEXT, "response_format": "pcm"}
    async with client.stream("POST", "/v1/audio/speech", json=body) as answer:
        async for _ in answer.aiter_raw():
            first_s = first_s or time.perf_counter()
    return first_s


async def _over_socket(socket: ClientConnection) -> float:
    for order in ({"type": "start"}, {"type": "text", "text": TEXT}, {"type": "end"}):
        await socket.send(json.dumps(order))
    first_s = 0.0
    while True:
        message = await socket.recv()
        if isinstance(message, bytes):
            first_s = first_s or time.perf_counter()
        elif json.loads(message)["type"] == "done":
            return first_s


async def _over_cartesia(socket: ClientConnection) -> float:
    await socket.send(json.dumps({"context_id": "c", "transcript": TEXT, "output_format": PCM}))
    first_s = 0.0
    while True:
        message = json.loads(await socket.recv())
        if message["type"] == "chunk":
            first_s = first_s or time.perf_counter()
        elif message["done"]:
            return first_s


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--runs", type=int, default=50)
    asyncio.run(main(parser.parse_args().runs))
