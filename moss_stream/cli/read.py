"""`moss-stream read`: a book from a text file."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

from moss_stream import SynthesisOptions
from moss_stream.book import BookJob, read_book, read_text
from moss_stream.cli.options import (
    Codec,
    Device,
    Dtype,
    LexiconFile,
    Model,
    Speed,
    SubtitleKind,
    Subtitles,
    errors,
    note,
)
from moss_stream.cli.speaking import Loading
from moss_stream.embedded import EMBEDDED_NOTE, embedded_model
from moss_stream.errors import ConfigError
from moss_stream.files import new_file
from moss_stream.sinks.file import container_of
from moss_stream.subtitles import subtitles as subtitles_of

__all__ = ["read"]


def read(
    file: Annotated[
        Path, typer.Argument(help="A text in UTF-8, or Markdown; paragraphs have empty lines between.")
    ],
    output: Annotated[
        Path,
        typer.Option("-o", "--output", help="File to write: .wav, .mp3, .flac, .ogg, .opus, .aac or .pcm."),
    ],
    model: Model = None,
    codec: Codec = None,
    voice: Annotated[
        str | None, typer.Option(help="Whose voice: a name that `voices` lists, or a recording to clone.")
    ] = None,
    n_vq: Annotated[
        int | None, typer.Option("--n-vq", help="Codebooks to use: fewer are faster and rougher.")
    ] = None,
    seed: Annotated[int, typer.Option(help="The same seed says the same text the same way.")] = 0,
    language: Annotated[str | None, typer.Option(help='Language of the text, such as "English".')] = None,
    instruction: Annotated[str | None, typer.Option(help='How to speak: "slowly, as to a child".')] = None,
    lexicon: LexiconFile = None,
    speed: Speed = 1.0,
    subtitles: Subtitles = None,
    device: Device = "auto",
    dtype: Dtype = "auto",
) -> None:
    """Read a whole book into one file. Stopped at any moment, the same command goes on where it was."""
    console = Console(stderr=True)
    with errors(console):
        if str(output) == "-":
            raise ConfigError("-o -: what goes on where it was needs a file. Give one, or use `say -`.")
        container_of(output)
        options = SynthesisOptions(seed=seed, n_vq=n_vq, language=language, instruction=instruction)
        job = BookJob(read_text(file), output, voice, options, speed, f"{model} {codec}")
        if model is None:
            embedded_model()
            note(console, EMBEDDED_NOTE)
        try:
            asyncio.run(_run(job, Loading(model, codec, device, dtype, lexicon), subtitles, console))
        except KeyboardInterrupt:
            note(console, "Stopped. The same command goes on where it was.")
            raise


async def _run(job: BookJob, loading: Loading, wanted: SubtitleKind | None, console: Console) -> None:
    columns = (BarColumn(), TaskProgressColumn(), TimeRemainingColumn(), TextColumn("{task.description}"))
    async with await loading.load(console) as synth:
        with Progress(*columns, console=console, disable=not console.is_terminal) as progress:
            task = progress.add_task(str(job.target), total=len(job.text))
            words = await read_book(synth, job, lambda count: progress.advance(task, count))
    note(console, f"Wrote {job.target}")
    if wanted is not None:
        path = job.target.with_suffix(f".{wanted}")
        await asyncio.to_thread(_write, path, subtitles_of(words, wanted.value, job.speed))
        note(console, f"Wrote {path}")


def _write(path: Path, text: str) -> None:
    with new_file(path) as file:
        file.write(text.encode())
