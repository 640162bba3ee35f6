"""Many listeners at once, each by another protocol: does any of them wait, and is anything left?

    python -m benchmarks.mixed [--clients 200] [--seconds 20] [--step-ms 5]

The server has a process of its own, on an engine that makes a tone and takes a fixed time for each step: what
is measured is the server. Listeners begin within the first seconds and play in real time. The next text of a
listener follows when one is over.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import multiprocessing
import time
from collections import defaultdict
from multiprocessing.connection import Connection

import httpx

from benchmarks.measure import p50_p95
from benchmarks.protocols import WAYS, Address
from benchmarks.serving import serving_all
from benchmarks.tone import ToneEngine
from moss_stream import EngineOptions, StreamingSynthesizer
from moss_stream.engine.worker import Worker

BYTES_S = 48_000
"""Of int16 at 24 kHz."""
SEGMENT_S = 6.0
NOTICED_S = 0.1
"""A pause in speech that people hear (C100)."""
STAGGER_S = 4.0
"""In which all listeners begin: nobody's users come at the same instant."""


class Listener:
    """Plays what comes in real time, and notes when there was nothing to play."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.first_s, self.worst_gap_s, self.num_bytes = 0.0, 0.0, 0
        self._dry_s = 0.0

    def begin(self) -> None:
        """Ask for a text."""
        self._asked_s, self._dry_s = time.monotonic(), 0.0

    def hear(self, num_bytes: int) -> None:
        """Take audio."""
        now_s = time.monotonic()
        if not num_bytes:
            return
        if not self._dry_s:
            self.first_s, self._dry_s = max(self.first_s, now_s - self._asked_s), now_s
        self.worst_gap_s = max(self.worst_gap_s, now_s - self._dry_s)
        self._dry_s = max(self._dry_s, now_s) + num_bytes / BYTES_S
        self.num_bytes += num_bytes

    @property
    def left_s(self) -> float:
        """What it still has to play."""
        return max(0.0, self._dry_s - time.monotonic())


async def listen(listener: Listener, address: Address, after_s: float, end_s: float) -> None:
    """Listen to one text after the other."""
    await asyncio.sleep(after_s)
    while time.monotonic() < end_s:
        listener.begin()
        await WAYS[listener.name](address, "A text that is as long as its engine says.", listener.hear)
        await asyncio.sleep(listener.left_s)


async def clients(http: str, wyoming: int, count: int, seconds: float) -> list[Listener]:
    """Run all listeners."""
    limits = httpx.Limits(max_connections=count)
    async with httpx.AsyncClient(base_url=http, timeout=60, limits=limits) as client:
        address, end_s = Address(http, wyoming, client), time.monotonic() + seconds
        ways = itertools.cycle(WAYS)
        listeners = [Listener(next(ways)) for _ in range(count)]
        delays = [STAGGER_S * number / count for number in range(count)]
        await asyncio.gather(
            *(listen(each, address, delay, end_s) for each, delay in zip(listeners, delays, strict=True))
        )
    return listeners


def serve(pipe: Connection, count: int, step_ms: float) -> None:
    """Serve in a process of its own until told; then tell what is left."""

    async def run() -> None:
        options = EngineOptions(max_streams=min(256, count), max_queue=count)
        engine = ToneEngine(options.max_streams, SEGMENT_S, step_ms / 1000)
        worker = Worker(lambda: engine, options.max_queue)
        async with StreamingSynthesizer(worker, await worker.start(), options) as synth:
            async with serving_all(synth) as where:
                before = len(asyncio.all_tasks())
                pipe.send(where)
                await asyncio.to_thread(pipe.recv)
                left = len(asyncio.all_tasks()) - before
                pipe.send((synth.metrics.active, left, synth.metrics.ended, time.process_time()))

    asyncio.run(run())


def main(count: int, seconds: float, step_ms: float) -> None:
    """Print a line for each protocol, and what is left in the server."""
    here, there = multiprocessing.Pipe()
    process = multiprocessing.get_context("spawn").Process(target=serve, args=(there, count, step_ms))
    process.start()
    http, wyoming = here.recv()
    listeners = asyncio.run(clients(http, wyoming, count, seconds))
    time.sleep(1.0)  # kept connections are closed, and noticed
    here.send(None)
    active, tasks, ended, server_s = here.recv()
    process.join()
    by_name: dict[str, list[Listener]] = defaultdict(list)
    for listener in listeners:
        by_name[listener.name].append(listener)
    for name, group in {**by_name, "all": listeners}.items():
        first, gap = (p50_p95([1000 * value for value in values]) for values in _figures(group))
        waited = sum(each.worst_gap_s >= NOTICED_S for each in group)
        print(
            f"{name:24} {len(group):4} listeners, first audio p50 {first[0]:4.0f} p95 {first[1]:4.0f} ms, "
            f"longest gap p50 {gap[0]:3.0f} p95 {gap[1]:3.0f} ms, {waited} waited 100 ms"
        )
    audio_s = sum(each.num_bytes for each in listeners) / BYTES_S
    cost, own = 1e6 * server_s / audio_s, 1e6 * time.process_time() / audio_s
    print(f"CPU for a second of audio: {cost:.0f} us in the server, {own:.0f} us in the clients")
    print(f"left: {active} streams, {tasks} tasks; ended: {ended}")


def _figures(group: list[Listener]) -> tuple[list[float], list[float]]:
    return [each.first_s for each in group], [each.worst_gap_s for each in group]


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--clients", type=int, default=200)
    parser.add_argument("--seconds", type=float, default=20.0)
    parser.add_argument("--step-ms", type=float, default=5.0)
    arguments = parser.parse_args()
    main(arguments.clients, arguments.seconds, arguments.step_ms)
