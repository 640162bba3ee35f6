"""What the commands share: options, and errors as sentences."""

from __future__ import annotations

import contextlib
import sys
import traceback
from collections.abc import Iterator
from contextvars import ContextVar
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.text import Text

from moss_stream.errors import MossError

__all__ = ["Codec", "Device", "Dtype", "Model", "Output", "Play", "errors", "note", "shows_tracebacks"]

Model = Annotated[
    str | None,
    typer.Option(help="Folder or hub repository id of a checkpoint; without it, the package's own voice."),
]
Output = Annotated[
    Path | None,
    typer.Option("-o", "--output", help="WAV file to write (speech.wav if nothing else is asked for)."),
]
Play = Annotated[
    bool | None,
    typer.Option(
        "--play/--no-play", help="Use the loudspeaker. By default: if there is one and no -o was given."
    ),
]

Device = Annotated[str, typer.Option(help="auto, cuda, cuda:1, mps or cpu.")]
Dtype = Annotated[str, typer.Option(help="auto, bfloat16, float16 or float32.")]
Codec = Annotated[str | None, typer.Option(help="Folder or repository id of the codec.")]


shows_tracebacks: ContextVar[bool] = ContextVar("shows_tracebacks", default=False)
"""Of the command that runs: --debug."""


@contextlib.contextmanager
def errors(console: Console) -> Iterator[None]:
    """Show our errors as one sentence, and where they come from if that is asked for (`--debug`)."""
    try:
        yield
    except MossError as error:
        if shows_tracebacks.get():
            console.print(Text("".join(traceback.format_exception(error))), soft_wrap=True)
        note(console, f"error: {error}", style="red")
        sys.exit(1)
    except KeyboardInterrupt:
        sys.exit(130)


def note(console: Console, message: str, style: str | None = None) -> None:
    """Print a sentence, on one line and as it is."""
    console.print(Text(message, style=style or ""), soft_wrap=True)
