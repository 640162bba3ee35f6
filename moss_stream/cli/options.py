"""What the commands share: options, and errors as sentences."""

from __future__ import annotations

import contextlib
import sys
import traceback
from collections.abc import Iterator
from contextvars import ContextVar
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.text import Text

from moss_stream.errors import MossError
from moss_stream.formats.tempo import FASTEST, SLOWEST

__all__ = [
    "Codec",
    "Device",
    "Dtype",
    "LexiconFile",
    "Model",
    "Output",
    "Play",
    "Speed",
    "SubtitleKind",
    "Subtitles",
    "errors",
    "note",
    "shows_tracebacks",
]


class SubtitleKind(StrEnum):
    """Formats of subtitles; see `moss_stream.subtitles`."""

    SRT = "srt"
    VTT = "vtt"
    JSON = "json"


Model = Annotated[
    str | None,
    typer.Option(help="Folder or hub repository id of a checkpoint; without it, the package's own voice."),
]
Output = Annotated[
    Path | None,
    typer.Option(
        "-o",
        "--output",
        help="File to write: .wav, .mp3, .flac, .ogg, .opus, .aac or .pcm; - for a WAV stream on standard "
        "output. speech.wav if nothing else is asked for.",
    ),
]
Speed = Annotated[float, typer.Option(min=SLOWEST, max=FASTEST, help="Faster or slower, at the same pitch.")]
Subtitles = Annotated[
    SubtitleKind | None, typer.Option(help="Write subtitles beside the file: srt, vtt or json.")
]
Play = Annotated[
    bool | None,
    typer.Option(
        "--play/--no-play", help="Use the loudspeaker. By default: if there is one and no -o was given."
    ),
]

LexiconFile = Annotated[
    Path | None,
    typer.Option("--lexicon", help='How words are pronounced: lines "word = spelling", or PLS (.pls, .xml).'),
]
Device = Annotated[str, typer.Option(help="auto, cuda, cuda:1, mps or cpu.")]
Dtype = Annotated[str, typer.Option(help="auto, bfloat16, float16 or float32.")]
Codec = Annotated[str | None, typer.Option(help="Folder or repository id of the codec.")]


CLOSED_PIPE = 141
"""What a shell reports of a program that SIGPIPE ended."""
shows_tracebacks: ContextVar[bool] = ContextVar("shows_tracebacks", default=False)
"""Of the command that runs: --debug."""


@contextlib.contextmanager
def errors(console: Console) -> Iterator[None]:
    """Show our errors as one sentence, and where they come from if that is asked for (`--debug`)."""
    try:
        yield
    except MossError as error:
        if isinstance(error.__cause__, BrokenPipeError):
            sys.exit(CLOSED_PIPE)  # whoever read standard output has had enough
        if shows_tracebacks.get():
            console.print(Text("".join(traceback.format_exception(error))), soft_wrap=True)
        note(console, f"error: {error}", style="red")
        sys.exit(1)
    except KeyboardInterrupt:
        sys.exit(130)


def note(console: Console, message: str, style: str | None = None) -> None:
    """Print a sentence, on one line and as it is."""
    console.print(Text(message, style=style or ""), soft_wrap=True)
