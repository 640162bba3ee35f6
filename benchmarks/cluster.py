"""What Ray Serve adds to the first byte: the same requests to one process and through a cluster, in turns.

    python -m benchmarks.cluster [--rounds 20]

Both run the embedded voice, and one of them is always idle. A pair asks each for the same sentence in the
same protocol; what is told is the median of the pairs' differences. Wyoming is not served by a cluster.
"""

from __future__ import annotations

import argparse
import asyncio
import re
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import AsyncExitStack, contextmanager
from pathlib import Path
from threading import Thread

import httpx

from benchmarks.protocols import WAYS, Address
from moss_stream import EngineOptions
from moss_stream.cluster.options import ClusterOptions
from moss_stream.cluster.run import start

TEXT = "Good morning. This is the first sentence of the day."
WARM = 3
"""Rounds that are not counted: connections are made, and voices read."""


@contextmanager
def one_process() -> Iterator[str]:
    """Run `moss-stream serve`; yield its address."""
    program = str(Path(sys.executable).with_name("moss-stream"))
    command = [program, "serve", "--port", "0", "--max-streams", "4"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        address = next(
            found[0] for line in process.stderr if (found := re.search(r"http://[\d.]+:\d+", line))
        )
        # What it logs must be read: a full pipe would stop it.
        Thread(target=process.stderr.read, daemon=True).start()
        yield address
        process.terminate()


async def first_byte_s(way: str, address: Address) -> float:
    """Return the seconds from asking to the first audio."""
    began_s, heard_s = time.perf_counter(), list[float]()

    def hear(count: int) -> None:
        heard_s.append(time.perf_counter())

    await WAYS[way](address, TEXT, hear)
    return heard_s[0] - began_s


async def measure(cluster: str, rounds: int) -> None:
    """Ask both in turns, and print the medians."""
    async with AsyncExitStack() as stack:
        single = stack.enter_context(one_process())
        clients = [httpx.AsyncClient(base_url=http, timeout=60) for http in (single, cluster)]
        for client in clients:
            await stack.enter_async_context(client)
        addresses = [Address(str(client.base_url).rstrip("/"), 0, client) for client in clients]
        print(f"{'':24} {'one process':>12} {'cluster':>9} {'added':>7}  ms, p50")
        for way in (name for name in WAYS if name != "Wyoming"):
            pairs = [[await first_byte_s(way, each) for each in addresses] for _ in range(WARM + rounds)][
                WARM:
            ]
            one, many = (statistics.median(column) for column in zip(*pairs, strict=True))
            added = statistics.median(many_s - one_s for one_s, many_s in pairs)
            print(f"{way:24} {1000 * one:12.1f} {1000 * many:9.1f} {1000 * added:7.1f}", flush=True)


def main() -> None:
    """Parse the command line, start the cluster, measure."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=20)
    rounds = parser.parse_args().rounds
    options = ClusterOptions(num_cpus=0.5, engine=EngineOptions(max_streams=4))
    asyncio.run(measure(start(options, 0), rounds))


if __name__ == "__main__":
    main()
