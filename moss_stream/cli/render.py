"""Batch work on the command line."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from moss_stream.cli.options import Codec, Device, Dtype, LexiconFile, Model, Speed, errors, note
from moss_stream.cli.speaking import Loading
from moss_stream.errors import TextError
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
) -> None:
    """Speak every line of a JSONL file into a file of its own; what is there already is passed over."""
    console = Console(stderr=True)
    with errors(console):
        num_failed = asyncio.run(
            _run(jobs, out, Loading(model, codec, device, dtype, lexicon), speed, console)
        )
    if num_failed:
        raise typer.Exit(1)


async def _run(jobs: Path, out: Path, loading: Loading, speed: float, console: Console) -> int:
    total = await asyncio.to_thread(lambda: sum(bool(line.strip()) for line in _lines(jobs)))
    counts = {"done": 0, "skipped": 0, "failed": 0}
    columns = (BarColumn(), MofNCompleteColumn(), TimeRemainingColumn(), TextColumn("{task.description}"))
    with Progress(*columns, console=console, disable=not console.is_terminal) as progress:
        task = progress.add_task("", total=total)

        def done(made: Rendered) -> None:
            counts["failed" if made.error else "skipped" if made.is_skipped else "done"] += 1
            if made.error is not None:
                note(console, f"line {made.number}: {made.error}", style="red")
            progress.update(task, advance=1, description=made.file)

        async with await loading.load(console) as synth:
            await render(synth, _lines(jobs), out, done, speed)
    note(console, ", ".join(f"{count} {what}" for what, count in counts.items()))
    return counts["failed"]


def _lines(path: Path) -> Iterator[str]:
    try:
        with path.open(encoding="utf-8", errors="replace") as file:
            yield from file
    except OSError as error:
        raise TextError(f"The jobs cannot be read: {path} ({error.strerror}). Give another file.") from error
