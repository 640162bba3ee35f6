from __future__ import annotations

import math

import numpy as np
import pytest

from moss_stream.config import SynthesisOptions
from moss_stream.errors import TextError
from moss_stream.text.history import History
from moss_stream.text.script import Begin
from moss_stream.text.spoken_lines import SpokenLines


def script(history: History | None = None, speakers: set[str] | None = None) -> SpokenLines:
    made = SpokenLines(SynthesisOptions(), history or History(60.0), speakers)
    made.set_reference(None)
    return made


def speak(made: SpokenLines, number: int = 1) -> Begin | None:
    """Speak the next segment, in two frames of codes `number`."""
    begin = made.begin(0.0, math.inf)
    if begin is not None:
        for _ in range(2):
            made.add()
            made.timeline.frame()
            made.keep(np.full(4, number))
        assert not made.end_segment(0)
    return begin


def test_the_model_reads_what_was_said_with_the_tags_of_those_who_said_it() -> None:
    """And hears it: codes of all lines before, in one audio."""
    made = script()
    made.feed("[S1]Hello there. [S2]Hi! [S1]How are you?", 0.0)
    made.end(0.0)
    begins = [speak(made, number) for number in (1, 2, 3)]
    texts = [begin.message.text for begin in begins if begin is not None]
    assert texts == [
        "[S1]Hello there.",
        "[S1]Hello there.[S2]Hi!",
        "[S1]Hello there.[S2]Hi![S1]How are you?",
    ]
    last = begins[-1]
    assert last is not None and last.prefix is not None and last.prefix[:, 0].tolist() == [1, 1, 2, 2]
    assert made.begin(0.0, math.inf) is None and made.is_over
    assert [word.speaker for word in made.timeline.words()] == ["S1", "S1", "S2", "S1", "S1", "S1"]


def test_who_speaks_changes_with_the_segment_not_with_what_is_read() -> None:
    """While a line is spoken the next one may have been read long since."""
    made = script()
    made.feed("[S1]Hello there.[S2]", 0.0)
    assert made.begin(0.0, math.inf) is not None
    made.feed("Hi, my friend. And so on.", 0.0)
    assert made.speaker == "S1"


def test_the_text_is_cleaned_as_the_makers_do() -> None:
    """Weak marks and quotes; see `dialogue_normalized`."""
    made = script()
    made.feed("[S1]He said “stop”; now: go.", 0.0)
    made.end(0.0)
    begin = speak(made)
    assert begin is not None and begin.message.text == "[S1]He said stop, now, go."


def test_lines_that_were_spoken_before_come_first() -> None:
    """The prefix of a dialogue."""
    history = History(60.0)
    history.remember("I am one.", "S1", np.full((3, 4), 8))
    history.remember("I am two.", "S2", np.full((2, 4), 9))
    made = script(history)
    made.feed("[S2]Go on.", 0.0)
    made.end(0.0)
    begin = speak(made)
    assert begin is not None and begin.message.text == "[S1]I am one.[S2]I am two. Go on."
    assert begin.prefix is not None and begin.prefix[:, 0].tolist() == [8, 8, 8, 9, 9]


def test_a_line_that_the_model_ends_at_once_is_spoken_alone_by_its_speaker() -> None:
    """Without the dialogue before it, but with its tag."""
    made = script()
    made.feed("[S1]Hello there. [S2]Hi!", 0.0)
    made.end(0.0)
    speak(made)
    assert made.begin(0.0, math.inf) is not None
    while made.end_segment(0):
        pass
    alone = made.begin(0.0, math.inf)
    assert alone is not None and alone.message.text == "[S2]Hi!" and alone.prefix is None
    assert alone.message.reference is None and made.speaker == "S2"


def test_a_speaker_without_a_voice_ends_the_dialogue() -> None:
    """If voices were given."""
    made = script(speakers={"S1"})
    with pytest.raises(TextError, match="a line of S2"):
        made.feed("[S1]Hello.[S2]", 0.0)
