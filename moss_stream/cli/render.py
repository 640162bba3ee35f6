"""Batch work on the command line."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Annotated, Self

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from moss_stream.cli.options import Codec, Device, Dtype, LexiconFile, Model, Speed, errors, note
from moss_stream.cli.speaking import Loading
from moss_stream.errors import ConfigError, MissingDependency, TextError
from moss_stream.render import Rendered, render

__all__ = ["render_jobs"]


def render_jobs(
    jobs: Annotated[Path, typer.Argument(help='Lines such as {"text": "Hello.", "file": "hello.wav"}.')],
    out: Annotated[Path, typer.Option(help="Folder for the files.")],
    model: Model = None,
    codec: Codec = None,
    lexicon: LexiconFile = None,
    speed: Speed = 1.0,
    device: Device = "auto",
    dtype: Dtype = "auto",
    with_ray: Annotated[
        bool, typer.Option("--ray", help="Spread the work over a Ray cluster, which shares the folder.")
    ] = False,
    replicas: Annotated[int, typer.Option(min=1, max=10_000, help="With --ray: how many models.")] = 1,
    num_cpus: Annotated[float, typer.Option(min=0, help="With --ray: that each of them gets.")] = 1.0,
    num_gpus: Annotated[float, typer.Option(min=0, help="With --ray: that each of them gets.")] = 0.0,
) -> None:
    """Speak every line of a JSONL file into a file of its own; what is there already is passed over."""
    console = Console(stderr=True)
    loading = Loading(model, codec, device, dtype, lexicon)
    with errors(console):
        with _Bar(console, sum(1 for _ in _numbered(jobs))) as bar:
            if with_ray:
                for made in _spread(jobs, out, loading, speed, replicas, (num_cpus, num_gpus)):
                    bar.done(made)
            else:
                asyncio.run(_run(jobs, out, loading, speed, bar, console))
        note(console, ", ".join(f"{bar.counts[what]} {what}" for what in ("done", "skipped", "failed")))
    if bar.counts["failed"]:
        raise typer.Exit(1)


class _Bar:
    """Shows what is done, and counts it."""

    def __init__(self, console: Console, total: int) -> None:
        columns = (BarColumn(), MofNCompleteColumn(), TimeRemainingColumn(), TextColumn("{task.description}"))
        self._console = console
        self._progress = Progress(*columns, console=console, disable=not console.is_terminal)
        self._task = self._progress.add_task("", total=total)
        self.counts: Counter[str] = Counter()

    def done(self, made: Rendered) -> None:
        """Take note of a line."""
        self.counts["failed" if made.error else "skipped" if made.is_skipped else "done"] += 1
        if made.error is not None:
            note(self._console, f"line {made.number}: {made.error}", style="red")
        self._progress.update(self._task, advance=1, description=made.file)

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._progress.stop()


async def _run(jobs: Path, out: Path, loading: Loading, speed: float, bar: _Bar, console: Console) -> None:
    async with await loading.load(console) as synth:
        await render(synth, _lines(jobs), out, bar.done, speed)


def _spread(
    jobs: Path, out: Path, loading: Loading, speed: float, replicas: int, each: tuple[float, float]
) -> Iterator[Rendered]:
    """Speak the lines on a cluster."""
    if loading.lexicon is not None:
        raise ConfigError("--lexicon does not go with --ray. Leave one of them out.")
    try:
        from moss_stream.cluster.batch import Batches, spread
    except ImportError as error:
        raise MissingDependency("Rendering on a cluster needs Ray Data", "ray") from error
    batches = Batches(
        folder=str(out.resolve()),  # each machine has a working folder of its own
        model=loading.model,
        codec=loading.codec,
        device=loading.device,
        dtype=loading.dtype,
        speed=speed,
        replicas=replicas,
        num_cpus=each[0],
        num_gpus=each[1],
    )
    return spread(list(_numbered(jobs)), batches)


def _numbered(path: Path) -> Iterator[tuple[int, str]]:
    """Yield the lines that hold something, with their numbers."""
    yield from ((number, line) for number, line in enumerate(_lines(path), start=1) if line.strip())


def _lines(path: Path) -> Iterator[str]:
    try:
        with path.open(encoding="utf-8", errors="replace") as file:
            yield from file
    except OSError as error:
        raise TextError(f"The jobs cannot be read: {path} ({error.strerror}). Give another file.") from error
