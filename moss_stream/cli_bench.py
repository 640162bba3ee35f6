"""`moss-stream bench`."""

from __future__ import annotations

import asyncio
import platform
import time
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

import moss_stream
from moss_stream import bench_report
from moss_stream.bench import Load, summary
from moss_stream.bench import run as run_bench
from moss_stream.cli_options import Codec, Device, Dtype, Model, errors, note
from moss_stream.errors import ConfigError

__all__ = ["bench"]


def bench(
    streams: Annotated[str, typer.Option(help="How many at once, one run each.")] = "1,2,3,4",
    tokens_per_s: Annotated[
        float, typer.Option(min=0.1, help="How fast the simulated language model writes.")
    ] = 40.0,
    stall_share: Annotated[
        float, typer.Option(min=0.0, max=1.0, help="Share of tokens that come late.")
    ] = 0.02,
    stall_s: Annotated[float, typer.Option(min=0.0, help="How late.")] = 1.0,
    output: Annotated[
        Path, typer.Option("-o", "--output", help="JSON file; a plot is put beside it.")
    ] = Path("bench.json"),
    model: Model = None,
    codec: Codec = None,
    voice: Annotated[str | None, typer.Option(help="Whose voice.")] = None,
    n_vq: Annotated[int | None, typer.Option("--n-vq", help="Codebooks to use.")] = None,
    max_streams: Annotated[int, typer.Option(help="Slots of the engine.")] = 8,
    device: Device = "auto",
    dtype: Dtype = "auto",
) -> None:
    """Talk to several simulated listeners at once, in real time, and say how long they wait."""

    async def run() -> None:
        options = moss_stream.EngineOptions(max_streams=max_streams, max_queue=0)
        async with await moss_stream.StreamingSynthesizer.load(
            model, codec=codec, device=device, dtype=dtype, options=options
        ) as synth:
            for count in counts:
                load = Load(count, tokens_per_s, stall_share, stall_s, speech, voice)
                results.append(summary(load, await run_bench(synth, load, time.monotonic)))
                note(
                    console, f"{count} streams: C100 {results[-1]['c100']}, refused {results[-1]['refused']}"
                )
            about.update(
                model=synth.info.description, version=moss_stream.__version__, machine=platform.processor()
            )

    console = Console(stderr=True)
    about: dict[str, str] = {}
    results: list[dict[str, Any]] = []
    with errors(console):
        counts = _numbers(streams)
        speech = moss_stream.SynthesisOptions(n_vq=n_vq)
        asyncio.run(run())
        Console().print(bench_report.table(results))
        bench_report.save(results, about, output)
        bench_report.plot(results, output.with_suffix(".png"))
        note(console, f"Wrote {output} and {output.with_suffix('.png')}")


def _numbers(text: str) -> list[int]:
    try:
        numbers = [int(part) for part in text.split(",")]
    except ValueError:
        numbers = []
    if not numbers or min(numbers) < 1:
        raise ConfigError(f"--streams {text!r} is not a list of numbers. Give some, such as 1,2,4.")
    return numbers
