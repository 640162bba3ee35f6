"""Commands for what is not one text in one voice: dialogues, sounds, voices from a description."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from moss_stream import StreamingSynthesizer, SynthesisOptions, SynthesisStream
from moss_stream.cli.console import read_stdin
from moss_stream.cli.options import (
    Codec,
    Device,
    Dtype,
    LexiconFile,
    Output,
    Play,
    Speed,
    Subtitles,
    errors,
    note,
)
from moss_stream.cli.speaking import Loading, Outlet, speak
from moss_stream.config import AUDITION
from moss_stream.errors import ConfigError
from moss_stream.voice_file import VOICE_SUFFIX, save_voice

__all__ = ["design", "dialogue", "sound"]

Seed = Annotated[int, typer.Option(help="The same seed makes the same again.")]
Description = Annotated[str, typer.Argument(help="What it should sound like, in words.")]
Chosen = Annotated[str, typer.Option(help="Folder or hub repository id of a checkpoint.")]


def dialogue(
    text: Annotated[str, typer.Argument(help='"[S1] Hello. [S2] Hi!"; - reads standard input.')],
    model: Chosen,
    voice: Annotated[
        list[str] | None, typer.Option(help="A speaker's voice, such as S1=anna.wav; once for each.")
    ] = None,
    output: Output = None,
    codec: Codec = None,
    seed: Seed = 0,
    lexicon: LexiconFile = None,
    speed: Speed = 1.0,
    subtitles: Subtitles = None,
    play: Play = None,
    device: Device = "auto",
    dtype: Dtype = "auto",
) -> None:
    """Speak a dialogue of up to five speakers, S1 to S5."""

    def stream(synth: StreamingSynthesizer) -> SynthesisStream:
        lines = read_stdin() if text == "-" else text
        return synth.dialogue(lines, voices=_voices(voice), options=SynthesisOptions(seed=seed))

    speak(stream, Loading(model, codec, device, dtype, lexicon), Outlet(output, play, speed, subtitles))


def sound(
    description: Description,
    model: Chosen,
    seconds: Annotated[float, typer.Option(help="About how long it is.")] = 5.0,
    output: Output = None,
    codec: Codec = None,
    seed: Seed = 0,
    play: Play = None,
    device: Device = "auto",
    dtype: Dtype = "auto",
) -> None:
    """Make a sound from a description, such as "rain on a tin roof"."""

    def stream(synth: StreamingSynthesizer) -> SynthesisStream:
        return synth.sound(description, seconds=seconds, options=SynthesisOptions(seed=seed))

    speak(stream, Loading(model, codec, device, dtype), Outlet(output, play))


def design(
    description: Description,
    model: Chosen,
    text: Annotated[str | None, typer.Option(help="What it says, in its language; some sentences.")] = None,
    candidates: Annotated[int, typer.Option(min=1, max=100, help="How many voices: a seed each.")] = 1,
    seed: Annotated[int, typer.Option(help="Of the first candidate.")] = 0,
    output: Annotated[Path, typer.Option("-o", "--output", help="Folder for the voices.")] = Path("voices"),
    codec: Codec = None,
    device: Device = "auto",
    dtype: Dtype = "auto",
) -> None:
    """Make up voices from a description: for each a WAV to listen to, and a file for --voice."""

    async def run() -> None:
        async with await Loading(model, codec, device, dtype).load(console) as synth:
            for number in range(seed, seed + candidates):
                voice = await synth.design_voice(description, text=text or AUDITION, seed=number)
                path = output / f"voice-{number}{VOICE_SUFFIX}"
                await asyncio.to_thread(save_voice, voice, path)
                if voice.audition is not None:
                    await asyncio.to_thread(voice.audition.save, path.with_suffix(".wav"))
                note(console, f"Made {path}, and {path.with_suffix('.wav')} to listen to")

    console = Console(stderr=True)
    with errors(console):
        asyncio.run(run())


def _voices(given: list[str] | None) -> dict[str, str | None] | None:
    """Return the voices of `--voice S1=anna.wav`, by speaker; without any, whoever is named speaks."""
    voices: dict[str, str | None] = {}
    for each in given or ():
        speaker, mark, name = each.partition("=")
        if not mark:
            raise ConfigError(f"--voice {each}: say whose voice it is, such as S1={each}.")
        voices[speaker] = name or None
    return voices or None
