"""A whole book into one file, part by part; stopped at any moment, it goes on where it was."""

from __future__ import annotations

import asyncio
import hashlib
import json
import logging
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from moss_stream.audio import FRAME_S, Audio
from moss_stream.config import SynthesisOptions
from moss_stream.errors import ConfigError, NoAudio, SinkError, TextError
from moss_stream.part_store import PartStore
from moss_stream.quote import quoted
from moss_stream.sinks.file import container_of
from moss_stream.sinks.whole import whole_file
from moss_stream.synthesizer import StreamingSynthesizer
from moss_stream.text.breaks import is_speakable
from moss_stream.text.duration import estimate_s
from moss_stream.text.parts import TextPart, text_parts, unwrapped
from moss_stream.text.respelled import normalizer_for
from moss_stream.text.timeline import Word
from moss_stream.text_file import bounded_text
from moss_stream.voices import Voice

__all__ = ["BookJob", "read_book", "read_text"]

logger = logging.getLogger("moss_stream")
MAX_MB = 32
"""Of a text: ten times the longest novels, 600 hours."""
REFERENCE_S = 20
"""Of the first part, whose voice the others take where no voice was named: more makes none more like it."""
LEAST_REFERENCE_S = 1.0
"""A shorter part has no voice to take."""
SPARE_BYTES = 64 << 20
"""What a disk should have besides the audio."""


@dataclass(frozen=True, slots=True)
class BookJob:
    """A text that becomes a file."""

    text: str
    target: Path
    """Its suffix says the format. The parts are in a folder beside it until it is there."""
    voice: str | None = None
    """The name of one of the model's voices, or a file; None: the model's first one or, if it has none, the
    one that it takes for the first part."""
    options: SynthesisOptions = SynthesisOptions()
    speed: float = 1.0
    model: str = ""
    """What the caller calls the model: parts that another one spoke are not used."""


def read_text(path: Path) -> str:
    """Return the text of a book. Raises TextError if it cannot be read, is too long, or is not in UTF-8."""
    return bounded_text(path, "text", MAX_MB, TextError, "Give its volumes one by one.")


async def read_book(
    synth: StreamingSynthesizer, job: BookJob, on_read: Callable[[int], None] = lambda count: None
) -> list[Word]:
    """Speak a book into a file; return its words, with their places in the text and their times.

    It is spoken in parts, as many at once as the model has slots. A part that is there, from the same text,
    voice, options and model, is not spoken again. When all are, they are joined, and their folder goes.

    Args:
        synth: Speaks.
        job: What, and where to.
        on_read: Told of characters that are spoken, as they are.

    Raises:
        ConfigError: The file's name asks for no format, or what `StreamingSynthesizer.stream` raises.
        TextError: There is nothing to say.
        SinkError: A file cannot be written, or there is no room for it.
    """
    container_of(job.target)
    if job.options.tokens is not None:
        raise ConfigError("`tokens` is the length of one text. Leave it out for a book.")
    reading = _Reading(synth, job, on_read)
    await asyncio.to_thread(reading.prepare)
    await reading.speak()
    return await reading.join()


class _Reading:
    def __init__(self, synth: StreamingSynthesizer, job: BookJob, on_read: Callable[[int], None]) -> None:
        self._synth, self._job, self._on_read = synth, job, on_read
        folder = job.target.with_name(f"{job.target.name}.parts")
        self._store = PartStore(folder, synth.info.sample_rate, synth.info.channels)
        self._voice: str | Voice | None = job.voice or next(iter(synth.voices), None)
        self._parts: list[tuple[str, TextPart]] = []
        """Those with something to say, and their names."""

    def prepare(self) -> None:
        """Cut the text, and look for room for its audio."""
        about = self._about()
        first = ""
        for part in text_parts(unwrapped(self._job.text)):
            readable = self._readable(part.text)
            if not is_speakable(readable):
                self._on_read(len(part.text))
                continue
            name = _hash(about, first, part.text, readable)
            self._parts.append((name, part))
            first = first or ("" if self._voice else name)
        if not self._parts:
            raise TextError("There is nothing to say: the text holds no letter and no digit.")
        self._store.open()
        self._check_room()

    def _about(self) -> str:
        """Return all but the text that the audio depends on."""
        info = self._synth.info
        options = self._job.options.model_dump(mode="json", exclude={"lexicon", "trace"})
        voice = str(self._voice)
        path = Path(voice)
        if voice not in self._synth.voices and self._voice and path.is_file():
            voice = hashlib.sha256(path.read_bytes()).hexdigest()
        return json.dumps([self._job.model, info.description, info.sample_rate, voice, options])

    def _readable(self, text: str) -> str:
        options = self._job.options
        reader = normalizer_for(options.hidden_tags, options.lexicon or self._synth.lexicon)
        return reader.feed(text).text + reader.end().text

    def _check_room(self) -> None:
        """Refuse a book that does not fit onto the disk, before hours of work."""
        info = self._synth.info
        left_s = sum(estimate_s(part.text) for name, part in self._parts if not self._store.has(name))
        whole_s = sum(estimate_s(part.text) for _, part in self._parts)
        is_large = container_of(self._job.target) in ("wav", "raw", "flac")
        seconds = left_s + (whole_s if is_large else whole_s / 4)
        needed = int(seconds * info.sample_rate * info.channels * 2) + SPARE_BYTES
        free = shutil.disk_usage(self._store.folder).free
        if free < needed:
            self._store.remove_if_empty()
            raise SinkError(
                f"There is no room for the audio in {self._store.folder.parent}: it takes up to "
                f"{needed / 1e9:.1f} GB, and {free / 1e9:.1f} GB are free. Make room, or write elsewhere."
            )

    async def speak(self) -> None:
        """Speak what is not there yet."""
        waiting = iter(self._parts)
        if self._voice is None:
            name, part = next(waiting)
            await self._speak_part(name, part)
            self._voice = await self._voice_of(name)
        try:
            async with asyncio.TaskGroup() as group:
                for _ in range(self._synth.info.max_streams):
                    group.create_task(self._work(waiting))
        except ExceptionGroup as errors:
            raise errors.exceptions[0] from None

    async def _work(self, waiting: Iterator[tuple[str, TextPart]]) -> None:
        for name, part in waiting:
            await self._speak_part(name, part)

    async def _speak_part(self, name: str, part: TextPart) -> None:
        if await asyncio.to_thread(self._store.has, name):
            self._on_read(len(part.text))
            return
        chunks = []
        stream = self._synth.stream(part.text, voice=self._voice, options=self._job.options)
        try:
            async with stream:
                async for chunk in stream:
                    chunks.append(chunk.samples)
                    self._on_read(chunk.char_end - chunk.char_start)
        except NoAudio as error:  # a last line such as "II."; a book must not fail for it
            logger.warning("Passed over %s, at character %d: %s", quoted(part.text), part.start, error)
            info = self._synth.info  # a frame of silence: there is no FLAC file of nothing
            chunks = [np.zeros((int(FRAME_S * info.sample_rate), info.channels), np.int16).squeeze()]
        await asyncio.to_thread(self._store.put, name, np.concatenate(chunks), stream.words)

    async def _voice_of(self, name: str) -> Voice | None:
        """Return the voice of a part; None if it is too short to have one."""
        rate = self._synth.info.sample_rate
        samples = await asyncio.to_thread(self._store.audio, name)
        if len(samples) < LEAST_REFERENCE_S * rate or len(self._parts) == 1:
            return None
        return await self._synth.encode_voice(Audio(samples[: REFERENCE_S * rate], rate))

    async def join(self) -> list[Word]:
        """Write the file; return the words."""
        words: list[Word] = []
        start_s = 0.0
        async with whole_file(self._job.target, self._job.speed) as sink:
            for name, part in self._parts:
                chunks = self._store.chunks(name)
                while (chunk := await asyncio.to_thread(next, chunks, None)) is not None:
                    await sink.write(chunk)
                spoken, seconds = await asyncio.to_thread(self._store.notes, name)
                words += (_moved(word, part.start, start_s) for word in spoken)
                start_s += seconds
        await asyncio.to_thread(self._store.remove)
        return words


def _moved(word: Word, chars: int, seconds: float) -> Word:
    return replace(
        word,
        char_start=word.char_start + chars,
        char_end=word.char_end + chars,
        start_s=word.start_s + seconds,
        end_s=word.end_s + seconds,
    )


def _hash(*values: str) -> str:
    return hashlib.sha256("\0".join(values).encode("utf-8", "surrogatepass")).hexdigest()[:32]
