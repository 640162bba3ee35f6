from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from moss_stream import NoAudio, SynthesisOptions, TextError
from moss_stream.audio import FRAME_S
from moss_stream.text.history import History
from moss_stream.text.message import Codes, Message
from moss_stream.text.segmented import Segmented
from moss_stream.text.turn import TRANSITIONS, Turn, TurnState

SENTENCE = "This is a sentence of average length. "


def turn(options: SynthesisOptions | None = None, history: History | None = None) -> Turn:
    made = Turn(Segmented(options or SynthesisOptions(), history))
    made.script.set_reference(None)
    return made


def feed(made: Turn, text: str, now_s: float = 0.0) -> None:
    made.script.feed(text, now_s)


def speak(made: Turn, text: str, *values: int) -> tuple[Message, Codes | None]:
    """Say a segment of frames with those values."""
    feed(made, text)
    made.script.flush(0.0)
    prompt = made.next(0.0, 0.0)
    assert prompt is not None
    made.prefilled()
    for value in values:
        made.add()
        made.keep(np.full(4, value))
    made.end_segment()
    return prompt.message, prompt.prefix


def begin(made: Turn) -> None:
    """WAITING to PREFILL."""
    feed(made, SENTENCE)
    made.script.flush(0.0)
    made.next(0.0, 0.0)


def drain(made: Turn) -> None:
    """WAITING to DRAINING."""
    speak(made, "Hi.", 1)
    made.script.end(0.0)
    made.next(0.0, 0.0)


def vain(made: Turn) -> None:
    """No text comes for a segment that was begun."""
    vars(made.script)["is_vain"] = True
    made.more(0.0, 0.0)


# What leads to each transition, from a turn in its first state.
WAYS: dict[tuple[TurnState, TurnState], Callable[[Turn], object]] = {
    (TurnState.WAITING, TurnState.PREFILL): begin,
    (TurnState.WAITING, TurnState.DRAINING): drain,
    (TurnState.PREFILL, TurnState.SPEAKING): lambda t: t.prefilled(),
    (TurnState.SPEAKING, TurnState.WAITING): lambda t: (t.add(), t.end_segment()),
    (TurnState.SPEAKING, TurnState.PREFILL): lambda t: t.end_segment(),
    (TurnState.PREFILL, TurnState.STARVED): lambda t: t.starve(),
    (TurnState.PREFILL, TurnState.WAITING): vain,
    (TurnState.SPEAKING, TurnState.STARVED): lambda t: t.starve(),
    (TurnState.STARVED, TurnState.PREFILL): lambda t: t.fed(),
    (TurnState.STARVED, TurnState.SPEAKING): lambda t: (t.add(), t.fed()),
    (TurnState.STARVED, TurnState.WAITING): vain,
    (TurnState.DRAINING, TurnState.DONE): lambda t: t.finish(),
    **{(a, TurnState.CANCELLED): lambda t: t.cancel() for a in TRANSITIONS},
    **{(a, TurnState.FAILED): lambda t: t.fail() for a in TRANSITIONS},
}


def in_state(state: TurnState) -> Turn:
    """A turn that has come to a state the ordinary way."""
    made = turn()
    path = {
        TurnState.WAITING: [],
        TurnState.PREFILL: [TurnState.PREFILL],
        TurnState.SPEAKING: [TurnState.PREFILL, TurnState.SPEAKING],
        TurnState.STARVED: [TurnState.PREFILL, TurnState.STARVED],
        TurnState.DRAINING: [TurnState.DRAINING],
        TurnState.DONE: [TurnState.DRAINING, TurnState.DONE],
        TurnState.CANCELLED: [TurnState.CANCELLED],
        TurnState.FAILED: [TurnState.FAILED],
    }[state]
    for following in path:
        WAYS[made.state, following](made)
    return made


@pytest.mark.parametrize("before", TurnState, ids=lambda state: state.name)
@pytest.mark.parametrize("after", TurnState, ids=lambda state: state.name)
def test_the_table_of_transitions(before: TurnState, after: TurnState) -> None:
    """Every transition of the table can happen, and none besides."""
    made = in_state(before)
    assert made.state is before
    way = WAYS.get((before, after))
    if after in TRANSITIONS[before]:
        assert way is not None
        way(made)
        assert made.state is after
    elif way is not None:
        with pytest.raises(AssertionError):
            way(made)


def test_states_that_are_over_lead_nowhere() -> None:
    """Done, cancelled and failed are final."""
    assert {state for state, following in TRANSITIONS.items() if not following} == {
        state for state in TurnState if state.is_over
    }


def test_a_segment_continues_the_ones_before() -> None:
    """Each prompt has the texts and the frames of all segments before, in order."""
    made = turn()
    first, nothing = speak(made, " One. ", 1, 2)
    assert first.text == "One." and first.reference is None and nothing is None
    second, prefix = speak(made, "Two.", 3)
    assert second.text == "One. Two." and prefix is not None and prefix[:, 0].tolist() == [1, 2]
    assert prefix.shape == (2, 4)


def test_the_voice_and_the_options_are_in_every_prompt() -> None:
    """Voice, language and the like hold for each segment; nothing is said before the voice is known."""
    options = SynthesisOptions(
        language="English", instruction="softly", quality="high", sound_event="laugh", ambient_sound="rain"
    )
    made = Turn(Segmented(options))
    voice = np.zeros((5, 4), dtype=np.int64)
    feed(made, SENTENCE)
    made.script.flush(0.0)
    assert made.next(9.0, 0.0) is None
    made.script.set_reference([voice])
    for _ in range(2):
        message, _ = speak(made, SENTENCE, 1)
        assert message.reference is not None and message.reference[0] is voice
        for name in ("language", "instruction", "quality", "sound_event", "ambient_sound"):
            assert getattr(message, name) == getattr(options, name)


def test_with_a_wanted_length_the_text_is_one_segment() -> None:
    """It is spoken after its end, with the length in the prompt."""
    made = turn(SynthesisOptions(tokens=30))
    feed(made, SENTENCE * 3)
    assert made.next(99.0, 0.0) is None
    made.script.end(0.0)
    prompt = made.next(99.0, 0.0)
    assert prompt is not None and prompt.message.tokens == 30 and prompt.message.text.count(".") == 3


def test_a_segment_that_ends_at_once_is_begun_again(caplog: pytest.LogCaptureFixture) -> None:
    """Five times; then the next segment follows, and a warning says that one is missing."""
    made = turn()
    feed(made, SENTENCE)
    made.script.flush(0.0)
    made.next(0.0, 0.0)
    attempts = 0
    while made.state is TurnState.PREFILL:
        attempts += 1
        made.prefilled()
        made.end_segment()
    assert attempts == 5 and made.state is TurnState.WAITING
    assert caplog.text.count("passed over") == 1


def unspoken(made: Turn, text: str = "") -> None:
    """Begin a segment that the model always ends before its first frame."""
    if text:
        feed(made, text)
        made.script.flush(0.0)
    assert made.next(0.0, 0.0) is not None
    for _ in range(5):
        made.prefilled()
        made.end_segment()


@pytest.mark.parametrize("voice", [None, np.full((3, 4), 7)])
def test_a_last_word_that_the_model_ends_at_once_is_spoken_alone(voice: Codes | None) -> None:
    """With the voice of the stream, or of what was said before; it counts as said like any other."""
    made = turn()
    made.script.set_reference(None if voice is None else [voice])
    speak(made, SENTENCE, 1, 2)
    unspoken(made, "flights!")
    assert made.state is TurnState.WAITING and made.is_within
    alone = made.next(0.0, 0.0)
    assert alone is not None and alone.message.text == "flights!" and alone.prefix is None
    (reference,) = alone.message.reference or ()
    assert reference is not None
    assert reference[:, 0].tolist() == ([1, 2] if voice is None else [7, 7, 7])
    made.prefilled()
    made.add()
    made.keep(np.full(4, 5))
    made.end_segment()
    message, prefix = speak(made, "Then more.", 6)
    assert "flights!" in message.text
    assert prefix is not None and prefix[:, 0].tolist() == [1, 2, 5]


def test_what_is_not_spoken_alone_either_is_passed_over(caplog: pytest.LogCaptureFixture) -> None:
    """Once, and with a warning."""
    made = turn()
    speak(made, SENTENCE, 1)
    feed(made, "flights!")
    made.script.end(0.0)
    for _ in range(2):
        unspoken(made)
    assert caplog.text.count("passed over") == 1
    assert made.next(0.0, 0.0) is None and made.state is TurnState.DRAINING


def test_a_cancel_before_it_is_spoken_alone_forgets_it() -> None:
    """The next turn of a conversation does not continue a word that nobody heard."""
    history = History(None)
    made = turn(history=history)
    speak(made, SENTENCE, 1)
    unspoken(made, "flights!")
    made.cancel()
    assert history.begin("Next.")[0] == SENTENCE + "Next."


def test_text_without_a_word_is_passed_over() -> None:
    """It is no segment; a turn of nothing else has nothing to say, and says so."""
    made = turn()
    feed(made, " ... \n")
    made.script.end(0.0)
    with pytest.raises(TextError, match="nothing to say"):
        made.next(0.0, 0.0)


def test_a_model_that_never_speaks_is_an_error() -> None:
    """A text with words whose segments all stay empty ends with NoAudio."""
    made = turn()
    feed(made, SENTENCE)
    made.script.end(0.0)
    made.next(0.0, 0.0)
    for _ in range(5):
        made.prefilled()
        made.end_segment()
    with pytest.raises(NoAudio, match="seed"):
        made.next(0.0, 0.0)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("word " * 14, 5.0), ("0123456789", 2.5), ("一二三四五", 1.1), ("Wait [pause 3.5s] now.", 5.1)],
)
def test_a_segment_may_take_as_long_as_slow_speech(text: str, seconds: float) -> None:
    """The limit is some twice the usual time, and the pauses that are asked for."""
    made = turn()
    speak(made, text, 1)
    assert 1.3 * seconds <= made.script.max_frames() * FRAME_S <= 2.2 * seconds + 2.0


def test_a_wanted_length_sets_the_limit() -> None:
    """It may be missed by half."""
    made = turn(SynthesisOptions(tokens=100))
    feed(made, "Hi.")
    made.script.end(0.0)
    made.next(0.0, 0.0)
    assert made.script.max_frames() == 175


def test_a_conversation_remembers_what_was_heard() -> None:
    """The next turn continues the segments that were heard to their end, and no others."""
    history = History(20.0)
    first = turn(history=history)
    for text in ("One.", " Two.", " Three."):
        speak(first, text, *range(5))
    first.cancel()
    first.script.keep_heard(0.85)  # two segments of 0.4 s, and a little of the third
    message, prefix = speak(turn(history=history), "Four.", 1)
    assert message.text == "One. Two. Four." and prefix is not None and len(prefix) == 10


@pytest.mark.parametrize("end", [Turn.fail, Turn.cancel])
def test_a_segment_that_broke_off_is_not_continued(end: Callable[[Turn], None]) -> None:
    """Its text is not taken for spoken; what was heard before it stays, however often it is asked for."""
    history = History(20.0)
    first = turn(history=history)
    speak(first, "One.", 1)
    feed(first, SENTENCE)
    first.script.flush(0.0)
    first.next(0.0, 0.0)
    end(first)
    for _ in range(2):
        first.script.keep_heard(0.08)
    assert speak(turn(history=history), "Two.", 1)[0].text == "One. Two."
