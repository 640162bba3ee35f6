from __future__ import annotations

import numpy as np
import pytest

from moss_stream import NoAudio, SynthesisOptions, TextError
from moss_stream.audio import FRAME_S
from moss_stream.text.dialogue import Dialogue
from moss_stream.text.incremental import Incremental
from moss_stream.text.message import Heard, Message, Prompt, Said
from moss_stream.text.script import Begin, Give

NONE = np.empty((0, 5), np.int64)


def script(dialogue: Dialogue | None = None, room: int = 1000) -> Incremental:
    """One whose first prompt is in the cache."""
    made = Incremental(SynthesisOptions(), dialogue)
    made.set_reference(None)
    begin(made, room)
    return made


def begin(made: Incremental, room: int = 1000, num_forgotten: int = 0) -> Begin:
    order = made.begin(0.0, 0.0)
    assert order is not None
    made.begun(Prompt(order.message, None, NONE, 0, num_forgotten), room)
    return order


def given(made: Incremental, now_s: float = 0.0, lead_s: float = 0.0) -> list[Give]:
    found = []
    while (order := made.more(now_s, lead_s)) is not None:
        found.append(order)
    return found


def speak(made: Incremental, *values: int) -> None:
    for value in values:
        made.add()
        made.keep(np.full(4, value))
        made.timeline.frame()


def test_the_prompt_is_run_before_there_is_text() -> None:
    """As soon as the voice is known; nothing is said yet."""
    made = Incremental(SynthesisOptions())
    assert made.begin(0.0, 0.0) is None
    voice = np.zeros((3, 4), np.int64)
    made.set_reference([voice])
    message = begin(made).message
    assert message.reference is not None and message.reference[0] is voice and message.dialogue == ()
    assert given(made) == [] and not made.is_within


def test_words_are_given_as_they_are_whole_and_the_last_one_says_so() -> None:
    """Joined they are the text, marks and all."""
    made = script()
    made.feed("Hello **wor", 0.0)
    assert given(made) == [Give("Hello", False)]
    made.feed("ld** — it is", 0.0)
    assert given(made) == [Give(" world", False), Give(" — it", False)]
    made.end(0.0)
    assert given(made) == [Give(" is", True)]
    assert made.segment == "Hello world — it is" and made.num_waiting == 0


def test_an_end_that_comes_later_is_said_alone() -> None:
    """Also one with marks that nobody reads."""
    for tail in ("", " ", " —"):
        made = script()
        made.feed("Hello there ", 0.0)
        assert given(made) == [Give("Hello", False), Give(" there", False)]
        made.feed(tail, 0.0)
        made.end(0.0)
        last = given(made)
        assert "".join(order.text for order in last).strip() == tail.strip()
        assert [order.is_last for order in last] == [True]


def test_text_without_a_word_is_nothing() -> None:
    """A segment without text is vain; a turn of nothing else says so."""
    made = script()
    made.feed(" … ", 0.0)
    assert given(made) == [] and not made.is_vain
    made.end(0.0)
    assert given(made) == [] and made.is_vain
    made.drop()
    assert made.begin(0.0, 0.0) is None and made.is_over
    with pytest.raises(TextError, match="nothing to say"):
        made.check_spoken()


def test_what_is_flushed_is_said_to_its_end() -> None:
    """What comes later begins anew, with what was said before in its context."""
    made = script()
    made.feed("One moment", 0.0)
    made.flush(0.0)
    made.feed(", please.", 0.0)
    assert given(made) == [Give("One", False), Give(" moment", True)]
    speak(made, 1, 2)
    assert not made.end_segment(0)
    made.end(0.0)
    message = begin(made).message
    (said,) = message.dialogue
    assert isinstance(said, Said) and said.pieces == ("One", " moment") and len(said.codes) == 2
    assert given(made) == [Give(", please.", True)]


def test_a_flush_of_nothing_closes_nothing() -> None:
    """Neither before there is text nor after all of it was given."""
    made = script()
    made.flush(0.0)
    assert given(made) == [] and made.is_vain
    made.drop()
    made.flush(0.0)
    made.feed("One moment please ", 0.0)
    begin(made)
    assert [order.is_last for order in given(made)] == [False] * 3
    made.flush(0.0)
    assert given(made) == [Give("", True)]


def test_a_long_pause_closes_what_was_given() -> None:
    """The listener hears it to its end; with audio in hand nobody hurries."""
    made = script()
    made.feed("Let me check that for you! ", 0.0)
    assert [order.is_last for order in given(made)] == [False] * 6
    assert given(made, 0.69) == [] and given(made, 9.0, lead_s=2.0) == []
    assert given(made, 0.71) == [Give("", True)]


def test_of_a_whole_text_nothing_is_decided_by_time() -> None:
    """A request can be repeated."""
    made = Incremental(SynthesisOptions())
    made.whole()
    made.set_reference(None)
    made.feed("Let me check ", 0.0)
    begin(made)
    assert given(made, 99.0)[-1] == Give(" check", False)


def test_a_text_longer_than_the_context_goes_on_in_another_one() -> None:
    """Between sentences, or, if there are none, between words; nothing is lost."""
    for sentence in ("This is a sentence. ", "and so on "):
        made = script(room=100)
        text = (sentence * 30).strip()
        made.feed(text, 0.0)
        made.end(0.0)
        parts = []
        while made.num_waiting:
            if not made.is_within:
                begin(made, room=100)
            orders = given(made)
            parts.append("".join(order.text for order in orders))
            assert orders[-1].is_last
            speak(made, 1)
            made.end_segment(0)
        assert "".join(parts) == text and len(parts) > 2
        assert all(len(part) / 14 < 100 * FRAME_S for part in parts)
        if "." in sentence:
            assert all(part.rstrip().endswith(".") for part in parts)


def test_a_model_that_ends_early_reads_the_rest_in_a_new_segment() -> None:
    """Also if the rest is only what it was given."""
    made = script()
    made.feed("Hello there", 0.0)
    made.end(0.0)
    given(made)
    speak(made, 1)
    assert not made.end_segment(num_unread=3)
    assert begin(made).message.dialogue != ()
    assert given(made) == [Give("", True)], "what it has is all"


def test_attempts_and_silence(caplog: pytest.LogCaptureFixture) -> None:
    """Five, then a warning; a model that never speaks is an error."""
    made = script()
    made.feed("Hello", 0.0)
    made.end(0.0)
    given(made)
    assert [made.end_segment(0) for _ in range(5)] == [True] * 4 + [False]
    assert caplog.text.count("passed over") == 1
    assert made.begin(0.0, 0.0) is None and made.is_over
    with pytest.raises(NoAudio):
        made.check_spoken()


@pytest.mark.parametrize(("seconds", "frames"), [(0.0, 0), (0.079, 0), (0.08, 1), (0.35, 4), (9.9, 6)])
def test_what_was_heard_is_remembered_to_the_frame(seconds: float, frames: int) -> None:
    """Over several segments of a turn; what was not heard is forgotten."""
    dialogue = Dialogue()
    made = script(dialogue)
    made.feed("One. Two", 0.0)
    for part in range(2):
        made.flush(0.0)
        given(made)
        speak(made, *range(3 * part, 3 * part + 3))
        if not part:
            made.end_segment(0)
            made.feed(" three four", 0.0)
            begin(made)
    made.drop()
    made.keep_heard(seconds)
    kept = [code for turn in dialogue.turns() if isinstance(turn, Said) for code in turn.codes[:, 0]]
    assert kept == list(range(frames))


def test_the_context_forgets_and_goes_on() -> None:
    """What the prompt had no room for is not in the next one."""
    dialogue = Dialogue()
    for text in ("one", "two", "three"):
        dialogue.heard(text)
    made = Incremental(SynthesisOptions(), dialogue)
    made.set_reference(None)
    assert len(begin(made, num_forgotten=2).message.dialogue) == 3
    assert dialogue.turns() == (Heard("three"),)


def test_the_limit_follows_from_the_text_when_that_is_over() -> None:
    """Before, the context is the limit."""
    made = script()
    made.feed("word " * 14, 0.0)
    given(made)
    assert made.max_frames() == 1000
    made.end(0.0)
    given(made)
    assert 1.3 * 5 <= made.max_frames() * FRAME_S <= 2.2 * 5 + 2.0


def test_the_prompt_names_the_dialogue_and_no_text() -> None:
    """The text is given while it is spoken."""
    dialogue = Dialogue()
    dialogue.heard("Hi", np.zeros((2, 4), np.int64))
    made = Incremental(SynthesisOptions(), dialogue)
    made.set_reference(None)
    assert begin(made).message == Message(reference=None, dialogue=dialogue.turns())
