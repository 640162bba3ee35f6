from __future__ import annotations

import numpy as np

from moss_stream.audio import FRAME_S
from moss_stream.text.history import History


def say(history: History, text: str, frames: int) -> tuple[str, int]:
    """Speak a segment; return its prompt's text and the length of what it continues."""
    prompt, prefix = history.begin(text)
    for _ in range(frames):
        history.add(np.zeros(4, dtype=np.int64))
    return prompt, 0 if prefix is None else len(prefix)


def test_each_segment_continues_the_ones_before() -> None:
    """Text and codes of what was spoken stand before what comes next."""
    history = History(20.0)
    assert say(history, " One.", 3) == ("One.", 0)
    assert say(history, " Two.", 2) == ("One. Two.", 3)
    assert say(history, " Three.", 1) == ("One. Two. Three.", 5)


def test_the_window_moves_by_several_segments_at_once() -> None:
    """Memory is bounded, and the beginning of the prompt changes seldom."""
    history = History(20 * FRAME_S)
    lengths = [say(history, f" {number}.", 3)[1] for number in range(40)]
    assert max(lengths) <= 21 and sum(b < a for a, b in zip(lengths, lengths[1:], strict=False)) <= 10


def test_a_segment_longer_than_the_window_is_forgotten_whole() -> None:
    """A window of nothing keeps nothing."""
    history = History(0.0)
    say(history, "One.", 5)
    assert say(history, "Two.", 5) == ("Two.", 0)


def test_what_was_not_heard_is_forgotten() -> None:
    """Segments are taken back from the end; more than there are is no error."""
    history = History(20.0)
    for text in ("One.", " Two.", " Three."):
        say(history, text, 2)
    history.forget(2)
    assert say(history, " Four.", 1) == ("One. Four.", 2)
    history.forget(9)
    assert say(history, " Five.", 1) == ("Five.", 0)


def test_turns_do_not_run_into_each_other() -> None:
    """The first word of a turn does not stick to the last one of the turn before."""
    history = History(20.0)
    history.separate()
    say(history, "Yes.", 2)
    history.separate()
    history.separate()
    assert say(history, "No.", 2)[0] == "Yes. No."
