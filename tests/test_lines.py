from __future__ import annotations

import re
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field, replace
from itertools import groupby

import numpy as np
import pytest
from fakes import NUM_CODEBOOKS, FakeEngine, synthesizer_on

from moss_stream import (
    Audio,
    ConfigError,
    Line,
    StreamingSynthesizer,
    SynthesisOptions,
    SynthesisStream,
    TextError,
    Use,
    Voice,
)
from moss_stream.engine.protocol import EngineInfo, Frame
from moss_stream.text.message import Message, Prompt

LINES = [
    Line("S1", "Good morning. How are you today?"),
    Line("S2", "Fine, thank you! And you?"),
    Line("S3", "Nobody asks me."),
    Line("S2", "I do."),
]
SPEECH = Audio(np.tile(np.arange(-8000, 8000, 80, dtype=np.int16), 120), 24_000)
TEXT = "".join(map(str, LINES))


@dataclass
class Troupe(FakeEngine):
    """Speaks in the codes of the speaker whose tag comes last in its prompt: 1 for S1."""

    speaking: dict[int, int] = field(default_factory=dict)

    @property
    def info(self) -> EngineInfo:
        return replace(super().info, uses=frozenset({Use.SPEECH, Use.DIALOGUE}))

    def begin(self, slot: int, prompt: Prompt, gain: float = 1.0) -> int:
        tags = re.findall(r"\[S(\d)\]", prompt.message.text)
        self.speaking[slot] = int(tags[-1]) if tags else 0
        return super().begin(slot, prompt, gain)

    def _frame_of(self, frame: Frame, speaker: int) -> Frame:
        return replace(frame, codes=np.full(NUM_CODEBOOKS, speaker))

    def step(self, slots: list[int]) -> list[Frame]:  # type: ignore[override]
        frames = super().step(slots)
        return [self._frame_of(each, self.speaking[slot]) for each, slot in zip(frames, slots, strict=True)]


def voice(number: int, gain: float = 1.0) -> Voice:
    return Voice(np.full((2, NUM_CODEBOOKS), number), f"voice {number}", gain=gain)


VOICES = {"S1": voice(11), "S2": voice(12, gain=0.5), "S3": None}


def spoken(stream: SynthesisStream) -> list[tuple[str, str]]:
    """Who said what, line by line."""
    lines = groupby(stream.words, key=lambda word: word.speaker)
    return [(speaker, " ".join(word.text for word in words)) for speaker, words in lines]


def messages(engine: FakeEngine) -> list[Message]:
    return [each for kind, each in engine.log if kind == "begin" and isinstance(each, Message)]


def shown(message: Message) -> list[int]:
    """The voices that a prompt shows, by their first code."""
    return [int(codes[0, 0]) for codes in message.reference or () if codes is not None]


async def letters() -> AsyncIterator[str]:
    for letter in TEXT:
        yield letter


def drawn() -> Iterator[Line]:
    yield from LINES


@pytest.mark.parametrize("lines", ["list", "text", "letters", "drawn"])
async def test_every_line_is_spoken_once_in_order_by_its_speaker(lines: str) -> None:
    """However it is given: whole, a character at a time, or a line at a time."""
    engine = Troupe()
    given = {"list": LINES, "text": TEXT, "letters": letters(), "drawn": drawn()}[lines]
    async with await synthesizer_on(engine) as synth:
        stream = synth.dialogue(given, voices=VOICES)  # type: ignore[arg-type]
        speakers = [chunk.speaker async for chunk in stream if chunk.pcm]
    assert spoken(stream) == [(each.speaker, each.text) for each in LINES]
    assert [speaker for speaker, _ in groupby(speakers)] == ["S1", "S2", "S3", "S2"]
    # What the model read last names all lines; what it heard is in the codes of those who spoke.
    assert engine.texts()[-1].count("[S") == 4 and engine.texts()[-1].startswith("[S1]Good morning.")
    last = engine.prefixes[-1]
    assert last is not None
    assert [key for key, _ in groupby(last[:, 0].tolist())] == [1, 2, 3]


async def test_every_speaker_has_their_voice_in_their_place() -> None:
    """References in the order of the speakers, each line as loud as its voice says."""
    engine = Troupe()
    async with await synthesizer_on(engine) as synth:
        async for _ in synth.dialogue(LINES, voices=VOICES):
            pass
    assert all(shown(message) == [11, 12] for message in messages(engine))
    gains = dict(zip([text.rpartition("[S")[2][0] for text in engine.texts()], engine.gains, strict=True))
    assert gains == {"1": 1.0, "2": 0.5, "3": 1.0}


async def test_text_is_pushed() -> None:
    """As an agent does it; a tag may come in two deltas."""
    async with await synthesizer_on(Troupe()) as synth:
        stream = synth.dialogue(voices={"S1": None, "S2": None})
        for delta in ("[S1]One. [S", "2]Two."):
            await stream.push(delta)
        await stream.end()
        speakers = [chunk.speaker async for chunk in stream if chunk.pcm]
    assert [key for key, _ in groupby(speakers)] == ["S1", "S2"]


async def test_a_dialogue_goes_on_behind_lines_that_were_spoken() -> None:
    """With their text, their codes and, for who has no other, their voice."""
    engine = Troupe()
    prefix = [Line("S1", "I am one.", audio=SPEECH), Line("S2", "I am two.", audio=voice(9))]
    async with await synthesizer_on(engine) as synth:
        async for _ in synth.dialogue("[S2]Go on.", prefix=prefix, voices={"S2": voice(12)}):
            pass
    (text,), (given,) = engine.texts(), engine.prefixes
    assert text == "[S1]I am one.[S2]I am two. Go on."
    assert given is not None and [key for key, _ in groupby(given[:, 0].tolist())] == [7, 9]
    assert shown(messages(engine)[0]) == [7, 12]


async def test_who_has_no_voice_is_said_in_a_sentence() -> None:
    """The dialogue ends with it; without `voices` anybody may speak."""
    async with await synthesizer_on(Troupe()) as synth:
        with pytest.raises(TextError, match="a line of S3.*`voices` are those of S1, S2"):
            async for _ in synth.dialogue(LINES, voices={"S1": None, "S2": None}):
                pass
        assert [chunk async for chunk in synth.dialogue(LINES)][-1].is_final


def test_lines_are_checked() -> None:
    """Each with what is wrong."""
    for speaker in ("S6", "Anna", "s1", ""):
        with pytest.raises(ConfigError, match="S1 to S5"):
            Line(speaker, "Hello.")
    with pytest.raises(TextError, match="tag of a speaker"):
        Line("S1", "Hello. [S2] Hi!")
    with pytest.raises(TextError, match="not a str"):
        Line("S1", 5)  # type: ignore[arg-type]


async def refuse(synth: StreamingSynthesizer, pattern: str, lines: object, **options: object) -> None:
    with pytest.raises(ConfigError, match=pattern):
        synth.dialogue(lines, **options)  # type: ignore[arg-type]


async def test_dialogues_are_checked() -> None:
    """Before anything is spoken."""
    async with await synthesizer_on(Troupe()) as synth:
        await refuse(synth, "S1 to S5", LINES, voices={"Anna": None})
        await refuse(synth, "has no audio", LINES, prefix=[Line("S1", "Hello.")])
        await refuse(synth, "as `prefix`", [Line("S1", "Hello.", audio=b"RIFF")])
        await refuse(synth, "length of one text", LINES, options=SynthesisOptions(tokens=10))
    async with await synthesizer_on(FakeEngine()) as synth:
        await refuse(synth, "trained for speech, not for dialogue. Load MOSS-TTSD", LINES)


async def test_words_say_who_speaks_them() -> None:
    """For subtitles."""
    async with await synthesizer_on(Troupe()) as synth:
        stream = synth.dialogue(LINES)
        async for _ in stream:
            pass
    words = [(word.speaker, word.text) for word in stream.words]
    assert words[:2] == [("S1", "Good"), ("S1", "morning.")] and words[-1] == ("S2", "do.")
