"""`moss-stream render --ray`: batch work spread over a cluster by Ray Data."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import ray

from moss_stream import StreamingSynthesizer
from moss_stream.cluster.connect import connect
from moss_stream.config import EngineOptions
from moss_stream.errors import MossError
from moss_stream.render import Rendered, render_numbered

__all__ = ["Batches", "spread"]

LINES = 64
"""Of a batch: a replica with eight slots keeps them full for most of it, and the bar moves on."""


@dataclass(frozen=True, slots=True)
class Batches:
    """What each replica runs, and how many there are.

    Attributes:
        folder: For the files; every machine must reach it by this path.
        replicas: Processes, each with a model of its own.
        num_cpus: That Ray keeps for each.
        num_gpus: Likewise.
    """

    folder: str
    model: str | None = None
    codec: str | None = None
    device: str = "auto"
    dtype: str = "auto"
    speed: float = 1.0
    replicas: int = 1
    num_cpus: float = 1.0
    num_gpus: float = 0.0
    engine: EngineOptions = EngineOptions()


class _Renderer:
    """One replica; Ray Data calls it with batches of lines."""

    def __init__(self, batches: Batches) -> None:
        self._batches = batches
        self._runner = asyncio.Runner()
        self._synth = self._runner.run(
            StreamingSynthesizer.load(
                batches.model,
                codec=batches.codec,
                device=batches.device,
                dtype=batches.dtype,
                options=batches.engine,
            )
        )

    def __call__(self, batch: dict[str, Any]) -> dict[str, Any]:
        """Speak lines; return what became of each."""
        lines = zip(map(int, batch["number"]), map(str, batch["line"]), strict=True)
        made: list[Rendered] = []
        folder = Path(self._batches.folder)
        self._runner.run(render_numbered(self._synth, lines, folder, made.append, self._batches.speed))
        return {
            "number": np.array([each.number for each in made], dtype=np.int64),
            "file": np.array([each.file for each in made], dtype=object),
            "seconds": np.array([each.seconds for each in made], dtype=np.float64),
            "is_skipped": np.array([each.is_skipped for each in made], dtype=np.bool_),
            "error": np.array(["" if each.error is None else str(each.error) for each in made], dtype=object),
        }


def spread(lines: Sequence[tuple[int, str]], batches: Batches) -> Iterator[Rendered]:
    """Speak numbered lines on the cluster that RAY_ADDRESS names, or on one of this machine's own.

    Args:
        lines: Number and JSON of each job.
        batches: How to speak them.

    Yields:
        What became of each line, in the order in which they are done.
    """
    connect()
    count = max(batches.replicas, math.ceil(len(lines) / LINES))
    data = ray.data.from_items(
        [{"number": number, "line": line} for number, line in lines], override_num_blocks=count
    )
    done = data.map_batches(
        _Renderer,
        fn_constructor_args=(batches,),
        batch_size=LINES,
        concurrency=batches.replicas,
        num_cpus=batches.num_cpus,
        num_gpus=batches.num_gpus,
    )
    for row in done.iter_rows():
        error = MossError(row["error"]) if row["error"] else None
        yield Rendered(row["number"], row["file"], row["seconds"], row["is_skipped"], error)
