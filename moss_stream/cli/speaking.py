"""What the commands that speak have in common: load, speak, write a file, play."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console

from moss_stream import StreamingSynthesizer, SynthesisStream, load_lexicon
from moss_stream.cli.console import Progress
from moss_stream.cli.options import SubtitleKind, errors, note
from moss_stream.embedded import EMBEDDED_NOTE, embedded_model
from moss_stream.errors import MissingDependency, SinkError
from moss_stream.files import new_file
from moss_stream.formats.output import AudioFormat
from moss_stream.formats.tempo import at_speed
from moss_stream.sinks.file import FileSink, container_of
from moss_stream.sinks.sink import Sink
from moss_stream.sinks.wav import WavSink
from moss_stream.subtitles import subtitles
from moss_stream.trace import draw_trace

__all__ = ["Outlet", "Loading", "speak"]

DEFAULT_OUTPUT = Path("speech.wav")
LOADING = "loading the model; the first time its loops are compiled for this CPU, which takes half a minute"


@dataclass(frozen=True, slots=True)
class Loading:
    """What is loaded, and where; see `StreamingSynthesizer.load`."""

    model: str | None
    codec: str | None
    device: str
    dtype: str
    lexicon: Path | None = None

    async def load(self, console: Console) -> StreamingSynthesizer:
        """Load it, and say so while it takes its time."""
        lexicon = None if self.lexicon is None else await asyncio.to_thread(load_lexicon, self.lexicon)
        with console.status(LOADING) if console.is_terminal else contextlib.nullcontext():
            return await StreamingSynthesizer.load(
                self.model, codec=self.codec, device=self.device, dtype=self.dtype, lexicon=lexicon
            )


@dataclass(frozen=True, slots=True)
class Outlet:
    """Where the audio goes."""

    output: Path | None
    """- is standard output."""
    play: bool | None
    """None: if there is a loudspeaker, and no file was named."""
    speed: float = 1.0
    subtitles: SubtitleKind | None = None

    @property
    def file(self) -> Path:
        """The file that is written, if one is."""
        return self.output or DEFAULT_OUTPUT


def speak(
    make: Callable[[StreamingSynthesizer], SynthesisStream],
    loading: Loading,
    outlet: Outlet,
    trace: Path | None = None,
) -> None:
    """Speak a stream to its end; show errors as sentences.

    Args:
        make: Makes the stream.
        loading: On what.
        outlet: Where it goes.
        trace: Where to draw what happened.
    """

    async def run() -> None:
        async with contextlib.AsyncExitStack() as stack:
            synth = await stack.enter_async_context(await loading.load(console))
            stream = make(synth)
            sinks = await _open_sinks(synth, outlet, console, stack)
            await _speak(stream, sinks, outlet.speed, console)
            if outlet.subtitles is not None:
                await asyncio.to_thread(_write_subtitles, stream, outlet)
                note(console, f"Wrote {_subtitle_file(outlet)}")
            if trace is not None:
                await asyncio.to_thread(draw_trace, stream.events, trace)
                note(console, f"Drew {trace}")

    console = Console(stderr=True)
    with errors(console):
        if loading.model is None:
            embedded_model()
            note(console, EMBEDDED_NOTE)
        asyncio.run(run())


async def _open_sinks(
    synth: StreamingSynthesizer, outlet: Outlet, console: Console, stack: contextlib.AsyncExitStack
) -> list[Sink]:
    sinks: list[Sink] = []
    if outlet.play or (outlet.play is None and outlet.output is None):
        try:
            from moss_stream.adapters.speaker import SpeakerSink

            rate, channels = synth.info.sample_rate, synth.info.channels
            sinks.append(SpeakerSink.open(sample_rate=rate, channels=channels))
            stack.push_async_callback(sinks[-1].aclose)
        except (SinkError, MissingDependency) as error:
            if outlet.play:
                raise
            note(console, f"Not played: {error}")
    if outlet.output is not None or outlet.play is None or not sinks:
        file = _file_sink(outlet.file)
        stack.push_async_callback(file.aclose)
        await file.open()
        sinks.append(file)
    return sinks


def _file_sink(path: Path) -> WavSink | FileSink:
    """Return what writes a file as its name asks for; a WAV file can be played while it grows."""
    if str(path) == "-":
        return FileSink("/dev/stdout", AudioFormat("wav", channels=None))
    return WavSink(path) if container_of(path) == "wav" else FileSink(path)


def _subtitle_file(outlet: Outlet) -> Path:
    assert outlet.subtitles is not None
    return outlet.file.with_suffix(f".{outlet.subtitles}")


def _write_subtitles(stream: SynthesisStream, outlet: Outlet) -> None:
    assert outlet.subtitles is not None
    text = subtitles(stream.words, outlet.subtitles.value, outlet.speed)
    with new_file(_subtitle_file(outlet)) as file:
        file.write(text.encode())


def _say_where(sinks: list[Sink], console: Console) -> None:
    for sink in sinks:
        if isinstance(sink, WavSink | FileSink) and sink.path != "/dev/stdout":
            note(console, f"Writing {sink.path}")


async def _speak(stream: SynthesisStream, sinks: list[Sink], speed: float, console: Console) -> None:
    paced = next((sink for sink in sinks if not isinstance(sink, WavSink | FileSink)), None)
    progress = Progress(console, is_paced=paced is not None)
    try:
        async with stream:
            if paced is not None:
                stream.attach(lambda: paced.position_s * speed)
            async for chunk in at_speed(stream, speed):
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
