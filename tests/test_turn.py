from __future__ import annotations

import numpy as np
import pytest

from moss_stream import SynthesisOptions
from moss_stream.text.prompt import Codes
from moss_stream.text.turn import Turn


def frame(value: int) -> Codes:
    """The codes of a frame."""
    return np.full(4, value)


def speak(turn: Turn, text: str, *values: int) -> tuple[str, list[int]]:
    """Say a segment of frames with those values; return the text and the frames its prompt had."""
    message, prefix = turn.begin(text)
    for value in values:
        turn.add(frame(value))
    return message.text, [] if prefix is None else prefix[:, 0].tolist()


def test_the_first_segment_continues_nothing() -> None:
    """The first prompt holds its own text and no audio."""
    message, prefix = Turn(SynthesisOptions(), None).begin(" Hello there.\n")
    assert message.text == "Hello there." and prefix is None and message.reference is None


def test_a_segment_continues_the_ones_before() -> None:
    """Each prompt has the texts and the frames of all segments before, in order."""
    turn = Turn(SynthesisOptions(), None)
    assert speak(turn, "One.", 1, 2) == ("One.", [])
    assert speak(turn, " Two.", 3) == ("One. Two.", [1, 2])
    assert speak(turn, " Three.") == ("One. Two. Three.", [1, 2, 3])


def test_a_prefix_has_one_row_per_frame() -> None:
    """The frames a segment continues are an array of frames by codebooks."""
    turn = Turn(SynthesisOptions(), None)
    speak(turn, "One.", 1, 2, 3)
    prefix = turn.begin(" Two.")[1]
    assert prefix is not None and prefix.shape == (3, 4)


def test_the_voice_and_the_options_are_in_every_prompt() -> None:
    """Voice, language and the like hold for each segment, not only for the first."""
    options = SynthesisOptions(
        tokens=9,
        instruction="softly",
        quality="high",
        sound_event="laugh",
        ambient_sound="rain",
        language="English",
    )
    voice = np.zeros((5, 4), dtype=np.int64)
    turn = Turn(options, voice)
    for text in ("One.", " Two."):
        message, _ = turn.begin(text)
        assert message.reference is not None and message.reference[0] is voice
        assert (message.tokens, message.instruction, message.quality) == (9, "softly", "high")
        assert (message.sound_event, message.ambient_sound, message.language) == ("laugh", "rain", "English")


def test_a_long_history_is_cut_to_half_of_its_bound() -> None:
    """When the carried audio grows over its bound, the oldest segments are forgotten with their texts."""
    turn = Turn(SynthesisOptions(history_s=0.8), None)  # 10 frames
    speak(turn, "One.", *range(4))
    speak(turn, " Two.", *range(4, 8))
    assert speak(turn, " Three.", 8, 9) == ("One. Two. Three.", list(range(8)))
    assert speak(turn, " Four.", 10) == ("One. Two. Three. Four.", list(range(10)))  # the bound itself
    assert speak(turn, " Five.") == ("Three. Four. Five.", [8, 9, 10])


def test_a_prompt_that_grows_keeps_its_beginning() -> None:
    """Within the bound each prompt begins as the one before, so what was computed for that stays of use."""
    turn = Turn(SynthesisOptions(history_s=0.8), None)
    cut = 0
    last: list[int] = []
    for value in range(30):
        _, prefix = speak(turn, "Word.", value)
        cut += prefix[: len(last)] != last
        last = prefix
    assert cut == 4 and len(last) <= 10


def test_a_segment_longer_than_the_bound_is_forgotten() -> None:
    """One segment of more audio than the bound leaves the next one without history."""
    turn = Turn(SynthesisOptions(history_s=0.16), None)
    speak(turn, "A long one.", 1, 2, 3)
    assert speak(turn, "Next.") == ("Next.", [])


def test_without_history_segments_stand_alone() -> None:
    """A history of 0 s carries nothing over."""
    turn = Turn(SynthesisOptions(history_s=0.0), None)
    assert speak(turn, "One.", 1) == ("One.", [])
    assert speak(turn, "Two.", 2) == ("Two.", [])


@pytest.mark.parametrize("text", ["0123456789" * 10, "一二三四五" * 20])
def test_a_segment_may_take_as_long_as_slow_speech(text: str) -> None:
    """The limit leaves room for text that is slow to read, and grows with the text of this segment only."""
    turn = Turn(SynthesisOptions(), None)
    turn.begin("Something said before.")
    turn.begin(text)
    assert 6 * len(text) <= turn.max_frames() <= 6 * len(text) + 25


def test_a_wanted_length_sets_the_limit() -> None:
    """With a wanted length the limit depends on it, and leaves half of it as room."""
    turn = Turn(SynthesisOptions(tokens=100), None)
    turn.begin("Hi.")
    assert turn.max_frames() == 175
