"""A real cluster on this machine: two replicas of three slots, with the embedded voice."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import psutil
import pytest
import ray
from ray import serve

from moss_stream.cluster.options import ClusterOptions
from moss_stream.cluster.run import start
from moss_stream.config import EngineOptions
from moss_stream.server.settings import ServerSettings

SLOTS = 3
PATIENCE_S = 60.0
"""For hangs only: a replica is there after some seconds."""


@dataclass(frozen=True)
class Cluster:
    """A cluster that runs."""

    http: str
    options: ClusterOptions

    def deploy(self, **changed: object) -> None:
        """Deploy again, with other options."""
        start(self.options.model_copy(update=changed), int(self.http.rpartition(":")[2]))

    async def figures(self, metric: str) -> dict[str, float]:
        """Return a figure of each replica, by its name."""
        async with httpx.AsyncClient(base_url=self.http, timeout=60) as client:
            text = (await client.get("/metrics")).text
        found = re.findall(rf'^{metric}{{replica="(\w+)"}} (\S+)$', text, flags=re.MULTILINE)
        return {name: float(value) for name, value in found}

    async def until(self, metric: str, is_so: Callable[[dict[str, float]], bool]) -> dict[str, float]:
        """Wait until a figure of the replicas is as it should be."""
        async with asyncio.timeout(PATIENCE_S):
            while not is_so(found := await self.figures(metric)):
                await asyncio.sleep(0.1)
        return found


def replicas() -> list[psutil.Process]:
    """Return the processes of the replicas that run."""
    children = psutil.Process().children(recursive=True)
    return [each for each in children if "ServeReplica" in " ".join(each.cmdline())]


@pytest.fixture(scope="session")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """One for all tests."""
    folder: Path = tmp_path_factory.mktemp("voices")
    options = ClusterOptions(
        engine=EngineOptions(max_streams=SLOTS, max_queue=1, max_queue_s=1.0),
        server=ServerSettings(voices=folder, port=0),
        min_replicas=2,
        max_replicas=2,
        num_cpus=0.5,
        drain_s=120.0,  # a minute and a half of speech, also on a machine that is busy elsewhere
    )
    yield Cluster(start(options), options)
    serve.shutdown()
    ray.shutdown()


@pytest.fixture
async def client(cluster: Cluster) -> AsyncIterator[httpx.AsyncClient]:
    """Of HTTP."""
    limits = httpx.Limits(max_connections=None)
    async with httpx.AsyncClient(base_url=cluster.http, timeout=60, limits=limits) as made:
        yield made
