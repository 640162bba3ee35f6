"""The command line: say, serve, bench, voices, download, doctor."""

from __future__ import annotations

import asyncio
import contextlib
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

import moss_stream
from moss_stream.cli.bench import bench
from moss_stream.cli.console import Progress, read_stdin
from moss_stream.cli.options import Codec, Device, Dtype, Model, errors, note, shows_tracebacks
from moss_stream.cli.serve import serve
from moss_stream.embedded import EMBEDDED_NOTE, embedded_model
from moss_stream.errors import MissingDependency, SinkError
from moss_stream.sinks.sink import Sink
from moss_stream.sinks.wav import WavSink
from moss_stream.trace import draw_trace

__all__ = ["app", "main"]

app = typer.Typer(
    name="moss-stream",
    help="Speak text while it is being written.",
    no_args_is_help=True,
    add_completion=False,
)
app.command()(bench)
app.command()(serve)
DEFAULT_OUTPUT = Path("speech.wav")
LOADING = "loading the model; the first time its loops are compiled for this CPU, which takes half a minute"


def main() -> None:
    """Run the command line."""
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
    output: Annotated[
        Path | None,
        typer.Option("-o", "--output", help="WAV file to write (speech.wav if nothing else is asked for)."),
    ] = None,
    model: Model = None,
    codec: Codec = None,
    voice: Annotated[
        str | None, typer.Option(help="Whose voice: a name that `voices` lists, or a recording to clone.")
    ] = None,
    n_vq: Annotated[
        int | None, typer.Option("--n-vq", help="Codebooks to use: fewer are faster and rougher.")
    ] = None,
    seed: Annotated[int, typer.Option(help="The same seed says the same text the same way.")] = 0,
    tokens: Annotated[int | None, typer.Option(help="Wanted length in frames of 80 ms.")] = None,
    language: Annotated[str | None, typer.Option(help='Language of the text, such as "English".')] = None,
    play: Annotated[
        bool | None,
        typer.Option(
            "--play/--no-play", help="Use the loudspeaker. By default: if there is one and no -o was given."
        ),
    ] = None,
    device: Device = "auto",
    dtype: Dtype = "auto",
    trace: Annotated[
        Path | None, typer.Option(help="Draw what happened when, and the audio in hand (png, svg).")
    ] = None,
) -> None:
    """Say TEXT into a WAV file, the loudspeaker, or both."""

    async def run() -> None:
        options = moss_stream.SynthesisOptions(
            seed=seed, n_vq=n_vq, tokens=tokens, language=language, trace=trace is not None
        )
        source = read_stdin() if text == "-" else text
        async with contextlib.AsyncExitStack() as stack:
            with console.status(LOADING) if console.is_terminal else contextlib.nullcontext():
                synth = await moss_stream.StreamingSynthesizer.load(
                    model, codec=codec, device=device, dtype=dtype
                )
            await stack.enter_async_context(synth)
            stream = synth.stream(source, voice=voice, options=options)
            await _speak(stream, await _open_sinks(synth, output, play, console, stack), console)
            if trace is not None:
                await asyncio.to_thread(draw_trace, stream.events, trace)
                note(console, f"Drew {trace}")

    console = Console(stderr=True)
    with errors(console):
        if model is None:
            embedded_model()
            note(console, EMBEDDED_NOTE)
        asyncio.run(run())


async def _open_sinks(
    synth: moss_stream.StreamingSynthesizer,
    output: Path | None,
    play: bool | None,
    console: Console,
    stack: contextlib.AsyncExitStack,
) -> list[Sink]:
    sinks: list[Sink] = []
    if play or (play is None and output is None):
        try:
            from moss_stream.adapters.speaker import SpeakerSink

            rate, channels = synth.info.sample_rate, synth.info.channels
            sinks.append(SpeakerSink.open(sample_rate=rate, channels=channels))
            stack.push_async_callback(sinks[-1].aclose)
        except (SinkError, MissingDependency) as error:
            if play:
                raise
            note(console, f"Not played: {error}")
    if output is not None or play is None or not sinks:
        file = WavSink(output or DEFAULT_OUTPUT)
        stack.push_async_callback(file.aclose)
        await file.open()
        sinks.append(file)
    return sinks


def _say_where(sinks: list[Sink], console: Console) -> None:
    for sink in sinks:
        if isinstance(sink, WavSink):
            note(console, f"Writing {sink.path}")


async def _speak(stream: moss_stream.SynthesisStream, sinks: list[Sink], console: Console) -> None:
    paced = next((sink for sink in sinks if not isinstance(sink, WavSink)), None)
    progress = Progress(console, is_paced=paced is not None)
    try:
        async with stream:
            if paced is not None:
                stream.attach(lambda: paced.position_s)
            async for chunk in stream:
                for sink in sinks:
                    await sink.write(chunk)
                if chunk.index == 0 and chunk.pcm:
                    _say_where(sinks, console)
                progress.add(chunk.duration_s)
        progress.done()
        for sink in sinks:
            await sink.flush()
    finally:
        progress.close()


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
        str, typer.Argument(help="Hub repository id, such as OpenMOSS-Team/MOSS-TTS-Local-Transformer.")
    ],
    revision: Annotated[str | None, typer.Option(help="Branch, tag or commit.")] = None,
) -> None:
    """Download a model and the codec it names, and print their folders."""
    from moss_stream.families.family import find
    from moss_stream.hub import codec_of, locate, read_json

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
