from __future__ import annotations

import numpy as np
import pytest

from moss_stream.errors import TextError
from moss_stream.text.dialogue import MAX_HEARD, MAX_TURNS, Dialogue
from moss_stream.text.message import Heard, Said


def test_turns_of_both_sides_in_order() -> None:
    """What has no audio was not said."""
    dialogue = Dialogue()
    dialogue.heard("Hi")
    first, silent = dialogue.begin(), dialogue.begin()
    first.pieces += ["Hello", " you"]
    first.codes += [np.zeros(2, np.int64), np.ones(2, np.int64)]
    silent.pieces.append("nothing")
    heard, said = dialogue.turns()
    assert heard == Heard("Hi") and isinstance(said, Said)
    assert said.pieces == ("Hello", " you") and said.codes.tolist() == [[0, 0], [1, 1]]


def test_the_oldest_are_forgotten_and_what_is_being_said_stays() -> None:
    """Counted as `turns` counts."""
    dialogue = Dialogue()
    silent = dialogue.begin()
    for text in ("one", "two"):
        dialogue.heard(text)
    now = dialogue.begin()
    dialogue.forget(1)
    now.codes.append(np.zeros(2, np.int64))
    silent.codes.append(np.ones(2, np.int64))
    assert [type(turn) for turn in dialogue.turns()] == [Said, Heard, Said]
    dialogue.remove(silent)
    dialogue.remove(now)
    assert dialogue.turns() == (Heard("two"),)


def test_what_is_remembered_has_limits() -> None:
    """Of a turn, and of turns."""
    dialogue = Dialogue()
    with pytest.raises(TextError, match="10,000"):
        dialogue.heard("x" * (MAX_HEARD + 1))
    for index in range(MAX_TURNS + 5):
        dialogue.heard(str(index))
    turns = dialogue.turns()
    assert len(turns) == MAX_TURNS and turns[0] == Heard("5")
