"""The command line: say, bench, voices, download, doctor."""

from __future__ import annotations

import asyncio
import contextlib
import platform
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

import moss_stream
from moss_stream import bench_report
from moss_stream.bench import Load, summary
from moss_stream.bench import run as run_bench
from moss_stream.console import Progress, read_stdin
from moss_stream.embedded import EMBEDDED_NOTE, embedded_model
from moss_stream.errors import ConfigError, MissingDependency, MossError, SinkError
from moss_stream.sinks import Sink, WavSink
from moss_stream.trace import draw_trace

__all__ = ["app", "main"]

app = typer.Typer(
    name="moss-stream",
    help="Speak text while it is being written.",
    no_args_is_help=True,
    add_completion=False,
)
DEFAULT_OUTPUT = Path("speech.wav")

Model = Annotated[
    str | None,
    typer.Option(
        help="Folder or hub repository id of a MossTTSLocal checkpoint; without it, the package's own voice."
    ),
]


Device = Annotated[str, typer.Option(help="auto, cuda, cuda:1, mps or cpu.")]
Dtype = Annotated[str, typer.Option(help="auto, bfloat16, float16 or float32.")]


def main() -> None:
    """Run the command line."""
    app()


@app.command()
def say(
    text: Annotated[str, typer.Argument(help="What to say; - reads standard input as it arrives.")],
    output: Annotated[
        Path | None,
        typer.Option("-o", "--output", help="WAV file to write (speech.wav if nothing else is asked for)."),
    ] = None,
    model: Model = None,
    codec: Annotated[str | None, typer.Option(help="Folder or repository id of the codec.")] = None,
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
            with console.status("loading the model") if console.is_terminal else contextlib.nullcontext():
                synth = await moss_stream.StreamingSynthesizer.load(
                    model, codec=codec, device=device, dtype=dtype
                )
            await stack.enter_async_context(synth)
            stream = synth.stream(source, voice=voice, options=options)
            # Only now: what cannot be spoken must not cost an earlier recording.
            await _speak(stream, _open_sinks(output, play, console, stack), console)
            if trace is not None:
                await asyncio.to_thread(draw_trace, stream.events, trace)
                _note(console, f"Drew {trace}")

    console = Console(stderr=True)
    with _errors(console):
        if model is None:
            embedded_model()
            _note(console, EMBEDDED_NOTE)
        asyncio.run(run())


def _open_sinks(
    output: Path | None, play: bool | None, console: Console, stack: contextlib.AsyncExitStack
) -> list[Sink]:
    sinks: list[Sink] = []
    if play or (play is None and output is None):
        try:
            from moss_stream.adapters.speaker import SpeakerSink

            sinks.append(SpeakerSink.open())
            stack.push_async_callback(sinks[-1].aclose)
        except (SinkError, MissingDependency) as error:
            if play:
                raise
            _note(console, f"Not played: {error}")
    if output is not None or play is None or not sinks:
        path = output or DEFAULT_OUTPUT
        sinks.append(WavSink(path))
        stack.push_async_callback(sinks[-1].aclose)
        _note(console, f"Writing {path}")
    return sinks


async def _speak(stream: moss_stream.SynthesisStream, sinks: list[Sink], console: Console) -> None:
    paced = next((sink for sink in sinks if not isinstance(sink, WavSink)), None)
    progress = Progress(console, is_paced=paced is not None)
    try:
        async with stream:
            if paced is not None:
                stream.attach(lambda: paced.position_s)
            async for chunk in stream:
                progress.add(chunk.duration_s)
                for sink in sinks:
                    await sink.write(chunk)
        progress.done()
        for sink in sinks:
            await sink.flush()
    finally:
        progress.close()


@app.command()
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
    codec: Annotated[str | None, typer.Option(help="Folder or repository id of the codec.")] = None,
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
                _note(
                    console, f"{count} streams: C100 {results[-1]['c100']}, refused {results[-1]['refused']}"
                )
            about.update(
                model=synth.info.description, version=moss_stream.__version__, machine=platform.processor()
            )

    console = Console(stderr=True)
    about: dict[str, str] = {}
    results: list[dict[str, Any]] = []
    with _errors(console):
        counts = _numbers(streams)
        speech = moss_stream.SynthesisOptions(n_vq=n_vq)
        asyncio.run(run())
        Console().print(bench_report.table(results))
        bench_report.save(results, about, output)
        bench_report.plot(results, output.with_suffix(".png"))
        _note(console, f"Wrote {output} and {output.with_suffix('.png')}")


def _numbers(text: str) -> list[int]:
    try:
        numbers = [int(part) for part in text.split(",")]
    except ValueError:
        numbers = []
    if not numbers or min(numbers) < 1:
        raise ConfigError(f"--streams {text!r} is not a list of numbers. Give some, such as 1,2,4.")
    return numbers


@app.command()
def voices(model: Model = None) -> None:
    """List the voices that come with a model, to be named with --voice."""
    from moss_stream.hub import locate, read_json
    from moss_stream.models.config import LocalConfig
    from moss_stream.voices import read_voices

    with _errors(Console(stderr=True)):
        folder = embedded_model() if model is None else locate(model)
        config = LocalConfig.parse(read_json(folder, "config.json"), str(folder))
        table = Table("voice", "who", "recording", show_lines=False)
        for name, voice in read_voices(folder, config.n_vq, config.audio_vocab_size).items():
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
    from moss_stream.hub import codec_of, locate, read_json
    from moss_stream.models.config import LocalConfig

    with _errors(Console(stderr=True)):
        folder = locate(model, revision)
        config = read_json(folder, "config.json")
        is_codec = "quantizer_kwargs" in config
        if not is_codec:
            LocalConfig.parse(config, model)
        typer.echo(folder)
        if not is_codec:
            typer.echo(locate(codec_of(folder)))


@app.command()
def doctor() -> None:
    """Show what this machine has and what would be chosen."""
    from moss_stream.diagnosis import diagnose

    table = Table("what", "here", show_lines=False)
    for name, value in diagnose():
        table.add_row(name, Text(value))
    Console().print(table)


@contextlib.contextmanager
def _errors(console: Console) -> Iterator[None]:
    """Show our errors as one sentence, without a traceback."""
    try:
        yield
    except MossError as error:
        _note(console, f"error: {error}", style="red")
        sys.exit(1)
    except KeyboardInterrupt:
        sys.exit(130)


def _note(console: Console, message: str, style: str | None = None) -> None:
    console.print(Text(message, style=style or ""), soft_wrap=True)
