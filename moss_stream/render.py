"""Batch work: many texts into files, as many at once as the model has slots, and again where it stopped."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path, PurePath

from moss_stream.config import SynthesisOptions
from moss_stream.errors import ConfigError, MossError, TextError
from moss_stream.quote import brief, quoted
from moss_stream.sinks.file import container_of
from moss_stream.sinks.whole import whole_file
from moss_stream.synthesizer import StreamingSynthesizer

__all__ = ["Job", "Rendered", "read_job", "render", "render_numbered"]

MAX_LINE = 1_000_000
"""Characters of a job: more than the longest text that is spoken in one go."""
_FIELDS = {"text", "voice", "file", "options"}


@dataclass(frozen=True, slots=True)
class Job:
    """A text that becomes a file."""

    text: str
    file: str
    """In the output folder; its suffix says the format."""
    voice: str | None = None
    """A name or a file, as for `StreamingSynthesizer.stream`."""
    options: SynthesisOptions = field(default_factory=SynthesisOptions)


@dataclass(frozen=True, slots=True)
class Rendered:
    """What became of a line."""

    number: int
    """Of the line, from 1 on."""
    file: str = ""
    seconds: float = 0.0
    """Of audio that was made."""
    is_skipped: bool = False
    """The file was there already."""
    error: MossError | None = None


def read_job(line: str, number: int) -> Job:
    """Read a line of a JSONL file: `text`, and if wanted `voice`, `file` and `options`.

    Without `file` it is the number of the line and ".wav".

    Raises:
        TextError: It is no job.
        ConfigError: Its options or its file name are none.
    """
    if len(line) > MAX_LINE:
        raise TextError(f"The line has {len(line):,} characters; a job has at most {MAX_LINE:,}.")
    try:
        given = json.loads(line)
    except ValueError as error:
        why = brief(str(error), 80)
        raise TextError(f"The line is no JSON ({why}). Give an object with `text`.") from error
    if not isinstance(given, dict) or not isinstance(given.get("text"), str):
        raise TextError('The line is no job. Give an object such as {"text": "Hello.", "file": "hello.wav"}.')
    if unknown := sorted(given.keys() - _FIELDS):
        raise TextError(f"{quoted(unknown[0])} is no field of a job. There are {', '.join(sorted(_FIELDS))}.")
    voice, file, options = given.get("voice"), given.get("file", f"{number:06}.wav"), given.get("options", {})
    if not isinstance(voice, str | None) or not isinstance(file, str) or not isinstance(options, dict):
        raise TextError("`voice` and `file` of a job are strings, and `options` is an object.")
    return Job(given["text"], _inside(file), voice, SynthesisOptions(**options))


def _inside(file: str) -> str:
    """Return the name of a file in the folder; refuse one that leaves it, or has no format."""
    path = PurePath(file)
    if not path.name or path.is_absolute() or ".." in path.parts or "\0" in file:
        raise ConfigError(f"{quoted(file)} is no file in the output folder. Give a name inside it.")
    container_of(file)
    return file


async def render(
    synth: StreamingSynthesizer,
    lines: Iterable[str],
    folder: Path,
    on_done: Callable[[Rendered], None],
    speed: float = 1.0,
) -> None:
    """Speak every line into a file; a line that cannot be spoken holds up no other.

    A file appears when it is whole, so that what is there is passed over the next time.

    Args:
        synth: Speaks.
        lines: Of a JSONL file; empty ones are passed over. Drawn as they are needed.
        folder: Where the files go.
        on_done: Told of each line, in the order in which they are done.
        speed: Of the audio.
    """
    numbered = ((number, line) for number, line in enumerate(lines, start=1) if line.strip())
    await render_numbered(synth, numbered, folder, on_done, speed)


async def render_numbered(
    synth: StreamingSynthesizer,
    numbered: Iterator[tuple[int, str]],
    folder: Path,
    on_done: Callable[[Rendered], None],
    speed: float = 1.0,
) -> None:
    """Speak some lines, each with its number; see `render`."""

    async def work() -> None:
        for number, line in _shared(numbered):
            on_done(await _render_line(synth, line, number, folder, speed))

    await asyncio.gather(*(work() for _ in range(synth.info.max_streams)))


def _shared(numbered: Iterator[tuple[int, str]]) -> Iterator[tuple[int, str]]:
    """Yield what no other worker has taken: all draw from one iterator."""
    yield from numbered


async def _render_line(
    synth: StreamingSynthesizer, line: str, number: int, folder: Path, speed: float
) -> Rendered:
    try:
        job = read_job(line, number)
        target = folder / job.file
        if await asyncio.to_thread(target.is_file):
            return Rendered(number, job.file, is_skipped=True)
        return Rendered(number, job.file, await _speak(synth, job, target, speed))
    except MossError as error:
        return Rendered(number, error=error)


async def _speak(synth: StreamingSynthesizer, job: Job, target: Path, speed: float) -> float:
    async with whole_file(target, speed) as sink:
        async with synth.stream(job.text, voice=job.voice, options=job.options) as stream:
            async for chunk in stream:
                await sink.write(chunk)
    return sink.position_s / speed
