"""The command line: say, read, dialogue, sound, design, serve, bench, voices, download, doctor."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text
from typer.completion import completion_init, get_completion_script  # type: ignore[attr-defined]

import moss_stream
from moss_stream.cli.bench import bench
from moss_stream.cli.console import read_stdin
from moss_stream.cli.creations import design, dialogue, sound
from moss_stream.cli.family_table import family_table
from moss_stream.cli.options import (
    Codec,
    Device,
    Dtype,
    LexiconFile,
    Model,
    Output,
    Play,
    Speed,
    Subtitles,
    errors,
    shows_tracebacks,
)
from moss_stream.cli.read import read
from moss_stream.cli.render import render_jobs
from moss_stream.cli.serve import serve
from moss_stream.cli.speaking import Loading, Outlet, speak
from moss_stream.embedded import embedded_model

__all__ = ["app", "main"]


class Shell(StrEnum):
    """Shells that can be told how commands go on."""

    BASH = "bash"
    ZSH = "zsh"
    FISH = "fish"
    POWERSHELL = "powershell"
    PWSH = "pwsh"


app = typer.Typer(
    name="moss-stream",
    help="Speak text while it is being written.",
    no_args_is_help=True,
    add_completion=False,
)
app.command()(bench)
app.command()(serve)
app.command()(dialogue)
app.command()(sound)
app.command()(design)
app.command("render")(render_jobs)
app.command()(read)


def main() -> None:
    """Run the command line, or tell a shell how it goes on."""
    completion_init()
    app()


def _show_version(is_asked: bool) -> None:
    if is_asked:
        typer.echo(f"moss-stream {moss_stream.__version__}")
        raise typer.Exit


@app.callback()
def common(
    version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version.")
    ] = False,
    debug: Annotated[bool, typer.Option("--debug", help="Show where an error comes from.")] = False,
) -> None:
    """Speak text while it is being written."""
    shows_tracebacks.set(debug)


@app.command()
def say(
    text: Annotated[str, typer.Argument(help="What to say; - reads standard input as it arrives.")],
    output: Output = None,
    model: Model = None,
    codec: Codec = None,
    voice: Annotated[
        str | None, typer.Option(help="Whose voice: a name that `voices` lists, or a recording to clone.")
    ] = None,
    n_vq: Annotated[
        int | None, typer.Option("--n-vq", help="Codebooks to use: fewer are faster and rougher.")
    ] = None,
    first_n_vq: Annotated[
        int | None,
        typer.Option("--first-n-vq", help="Of the first frame: fewer are heard earlier (MOSS-TTS 8B, TTSD)."),
    ] = None,
    seed: Annotated[int, typer.Option(help="The same seed says the same text the same way.")] = 0,
    tokens: Annotated[int | None, typer.Option(help="Wanted length in frames of 80 ms.")] = None,
    language: Annotated[str | None, typer.Option(help='Language of the text, such as "English".')] = None,
    instruction: Annotated[
        str | None, typer.Option(help='How to speak, or with which voice: "a calm, low voice".')
    ] = None,
    lexicon: LexiconFile = None,
    speed: Speed = 1.0,
    subtitles: Subtitles = None,
    play: Play = None,
    device: Device = "auto",
    dtype: Dtype = "auto",
    trace: Annotated[
        Path | None, typer.Option(help="Draw what happened when, and the audio in hand (png, svg).")
    ] = None,
) -> None:
    """Say TEXT into a file, the loudspeaker, or both; [pause 1.5s] in it is a pause."""

    def stream(synth: moss_stream.StreamingSynthesizer) -> moss_stream.SynthesisStream:
        options = moss_stream.SynthesisOptions(
            seed=seed,
            n_vq=n_vq,
            first_n_vq=first_n_vq,
            tokens=tokens,
            language=language,
            instruction=instruction,
            trace=trace is not None,
        )
        return synth.stream(read_stdin() if text == "-" else text, voice=voice, options=options)

    speak(
        stream, Loading(model, codec, device, dtype, lexicon), Outlet(output, play, speed, subtitles), trace
    )


@app.command()
def voices(model: Model = None) -> None:
    """List the voices that come with a model, to be named with --voice."""
    from moss_stream.families.family import find
    from moss_stream.hub import locate
    from moss_stream.voices import read_voices

    with errors(Console(stderr=True)):
        folder = embedded_model() if model is None else locate(model)
        found = find(folder)
        table = Table("voice", "who", "recording", show_lines=False)
        for name, voice in read_voices(folder, found.num_codebooks, found.codebook_size).items():
            table.add_row(Text(name), Text(voice.description), f"{voice.duration_s:.1f} s")
        Console().print(table if table.row_count else f"{folder} comes with no voices: clone one.")


@app.command()
def download(
    model: Annotated[
        str | None,
        typer.Argument(help="Hub repository id; without it, those of the family are listed."),
    ] = None,
    revision: Annotated[str | None, typer.Option(help="Branch, tag or commit.")] = None,
) -> None:
    """Download a model and the codec it names, and print their folders; or list what there is."""
    from moss_stream.families.family import find
    from moss_stream.hub import codec_of, locate, read_json

    if model is None:
        Console().print(family_table())
        return
    with errors(Console(stderr=True)):
        folder = locate(model, revision)
        is_codec = "quantizer_kwargs" in read_json(folder, "config.json")
        usual = None if is_codec else find(folder, model).codec.repository
        typer.echo(folder)
        if usual is not None:
            typer.echo(locate(codec_of(folder, usual)))


@app.command()
def doctor() -> None:
    """Show what this machine has and what would be chosen."""
    from moss_stream.cli.diagnosis import diagnose

    table = Table("what", "here", show_lines=False)
    for name, value in diagnose():
        table.add_row(name, Text(value))
    Console().print(table)
    Console().print(family_table())


@app.command()
def completion(
    shell: Annotated[Shell, typer.Argument(help="bash, zsh, fish, powershell or pwsh.")] = Shell.BASH,
) -> None:
    """Print a script that completes commands and options: source <(moss-stream completion bash)."""
    typer.echo(
        get_completion_script(
            prog_name="moss-stream", complete_var="_MOSS_STREAM_COMPLETE", shell=shell.value
        )
    )
