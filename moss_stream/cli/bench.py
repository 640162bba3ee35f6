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
from moss_stream.cli import bench_report
from moss_stream.cli.listeners import Load, sweep
from moss_stream.cli.options import Codec, Device, Dtype, Model, errors, note
from moss_stream.errors import ConfigError
from moss_stream.quote import quoted

__all__ = ["bench"]


MAX_STREAMS = 1024
"""Listeners of one run; no engine has more slots than 256."""
GPU_STREAMS, GPU_N_VQ, GPU_SLOTS = "1,8,16,32,64", "8,16,32", 64


def bench(
    streams: Annotated[
        str | None, typer.Option(help="How many at once, one run each.", show_default="1,2,3,4")
    ] = None,
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
    n_vq: Annotated[
        str | None,
        typer.Option("--n-vq", help="Codebooks to use, one set of runs each.", show_default="all"),
    ] = None,
    max_streams: Annotated[
        int | None, typer.Option(min=1, max=256, help="Slots of the engine.", show_default="8")
    ] = None,
    device: Device = "auto",
    dtype: Dtype = "auto",
    gpu: Annotated[
        bool,
        typer.Option(
            "--gpu",
            help=f"On a GPU, for a large model: {GPU_STREAMS} streams with {GPU_N_VQ} codebooks, unless "
            "other numbers are given.",
        ),
    ] = False,
) -> None:
    """Talk to several simulated listeners at once, in real time, and say how long they wait."""

    async def run() -> None:
        slots = max_streams or (GPU_SLOTS if gpu else 8)
        async with await moss_stream.StreamingSynthesizer.load(
            model,
            codec=codec,
            device="cuda" if gpu and device == "auto" else device,
            dtype=dtype,
            options=moss_stream.EngineOptions(max_streams=slots, max_queue=0),
        ) as synth:
            results.extend(await sweep(synth, loads, time.monotonic, tell))
            about["model"] = synth.info.description
            about["audio"] = f"{synth.info.sample_rate} Hz, {synth.info.channels} channel(s)"

    def tell(result: dict[str, Any]) -> None:
        n_vq = result["load"]["options"].get("n_vq", "all")
        note(
            console,
            f"{result['streams']} streams, K={n_vq}: C100 {result['c100']}, refused {result['refused']}",
        )

    console = Console(stderr=True)
    about = {"version": moss_stream.__version__, "machine": platform.processor()}
    results: list[dict[str, Any]] = []
    with errors(console):
        counts = _numbers("--streams", streams or (GPU_STREAMS if gpu else "1,2,3,4"))
        wanted = n_vq or (GPU_N_VQ if gpu else None)
        each_n_vq = _numbers("--n-vq", wanted) if wanted else [None]
        loads = [
            Load(count, tokens_per_s, stall_share, stall_s, moss_stream.SynthesisOptions(n_vq=n_vq), voice)
            for n_vq in each_n_vq
            for count in counts
        ]
        asyncio.run(run())
        Console().print(bench_report.table(results))
        bench_report.save(results, about, output)
        bench_report.plot(results, output.with_suffix(".png"))
        note(console, f"Wrote {output} and {output.with_suffix('.png')}")


def _numbers(option: str, text: str) -> list[int]:
    try:
        numbers = [int(part) for part in text.split(",")]
    except ValueError:
        numbers = []
    if not numbers or min(numbers) < 1 or max(numbers) > MAX_STREAMS:
        raise ConfigError(
            f"{option} {quoted(text)} is not a list of numbers up to {MAX_STREAMS}. Give some, such as 1,2,4."
        )
    return numbers
