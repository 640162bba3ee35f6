"""The lines of a dialogue, and who speaks them."""

from __future__ import annotations

from collections.abc import AsyncIterable, AsyncIterator, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from moss_stream.cast import Cast
from moss_stream.errors import ConfigError, TextError
from moss_stream.quote import quoted
from moss_stream.text.history import History
from moss_stream.text.speakers import MAX_SPEAKERS, has_tag, speaker_number
from moss_stream.text_source import Text
from moss_stream.voice_finder import FoundVoice, VoiceFinder
from moss_stream.voices import Reference, Voice

__all__ = ["Line", "Lines", "LinesCast", "tagged"]


@dataclass(frozen=True, slots=True)
class Line:
    """What one speaker says.

    Raises:
        ConfigError: There is no such speaker.
        TextError: The text is no str, or has a tag of a speaker in it.
    """

    speaker: str
    """S1 to S5."""
    text: str
    audio: Voice | Reference | None = None
    """Of a line that was spoken already: its recording."""

    def __post_init__(self) -> None:
        check_speaker(self.speaker)
        if not isinstance(self.text, str):
            raise TextError(f"The text of a line is a {type(self.text).__name__}, not a str. Give a str.")
        if has_tag(self.text):
            raise TextError(
                f"The text of a line of {self.speaker} has a tag of a speaker in it: {quoted(self.text)}. "
                "Give each speaker's words as a Line of their own."
            )

    def __str__(self) -> str:
        """Return it as a model reads it, behind its tag."""
        return f"[{self.speaker}]{self.text}\n"


Lines = Text | Iterable[Line] | AsyncIterable[Line]
"""A dialogue: lines, or text with tags such as [S1], in deltas that end anywhere."""


def check_speaker(speaker: str) -> None:
    """Raise ConfigError if there is no such speaker."""
    if not isinstance(speaker, str) or speaker_number(speaker) is None:
        raise ConfigError(f"There is no speaker {quoted(speaker)}. Give S1 to S{MAX_SPEAKERS}.")


def tagged(lines: Lines | None) -> Text | None:
    """Return a dialogue as text with tags, drawn as it comes; a list is whole at once."""
    if lines is None or isinstance(lines, str):
        return lines
    if isinstance(lines, AsyncIterable):
        return _drawn(lines)
    if isinstance(lines, Sequence):
        return "".join(_each(lines))
    return _each(lines) if isinstance(lines, Iterable) else lines


async def _drawn(lines: AsyncIterable[Line] | AsyncIterable[str]) -> AsyncIterator[str]:
    async for line in lines:
        yield _unspoken(line)


def _each(lines: Iterable[Line] | Iterable[str]) -> Iterator[str]:
    for line in lines:
        yield _unspoken(line)


def _unspoken(line: Line | str) -> str:
    if isinstance(line, Line) and line.audio is not None:
        raise ConfigError(
            f"A line of {line.speaker} that is to be spoken has audio already. Give lines that were spoken "
            "before as `prefix`."
        )
    return str(line) if isinstance(line, Line) else line


class LinesCast:
    """Finds who speaks a dialogue, and takes in what was spoken before it.

    Args:
        finder: Finds voices.
        voices: Of the speakers; None: of whoever speaks, as the model likes.
        prefix: Lines that were spoken; who has no voice goes on with that of the first of them.
        history: Takes them in.

    Raises:
        ConfigError: There is no such speaker, or a line of the prefix has no audio.
        AudioError: A voice was encoded for another model.
    """

    def __init__(
        self,
        finder: VoiceFinder,
        voices: Mapping[str, Voice | Reference | None] | None,
        prefix: Sequence[Line],
        history: History,
    ) -> None:
        for speaker in voices or ():
            check_speaker(speaker)
        if any(line.audio is None for line in prefix):
            raise ConfigError("A line of the prefix has no audio. Give the recording of each of its lines.")
        self._history = history
        self._voices = {speaker: finder.find(voice) for speaker, voice in (voices or {}).items()}
        self._prefix = [(line, finder.find(line.audio)) for line in prefix]
        spoken = {line.speaker for line in prefix}
        self.speakers = None if voices is None else spoken | voices.keys()
        """Those that may speak; None: any."""

    async def __call__(self) -> Cast:
        """Return the cast, once everything is encoded. Raises AudioError if a recording cannot be used."""
        voices = {speaker: await find() for speaker, find in self._voices.items()}
        for line, find in self._prefix:
            await self._take_in(line, find, voices)
        return Cast(voices)

    async def _take_in(self, line: Line, find: FoundVoice, voices: dict[str, Voice | None]) -> None:
        spoken = await find()
        assert spoken is not None, "checked when this was made"
        self._history.remember(line.text, line.speaker, spoken.codes)
        if voices.get(line.speaker) is None:
            voices[line.speaker] = spoken
