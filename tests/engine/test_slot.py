from __future__ import annotations

import numpy as np

from moss_stream.engine.slot import Slot
from moss_stream.text.message import Rows

ROWS: Rows = np.arange(60).reshape(20, 3)


def slot(rows: Rows = ROWS, num_fixed: int = 0) -> Slot:
    made = Slot(2, ROWS[:0])
    made.begin(rows, num_fixed, 8)
    return made


def run(made: Slot) -> list[int]:
    """Run all chunks; return where each began."""
    starts = [made.length]
    while not made.ran():
        starts.append(made.length)
    return starts


def changed(row: int) -> Rows:
    other = ROWS.copy()
    other[row] += 1
    return other


def test_chunks_end_where_the_text_begins() -> None:
    """Steps from the start, and steps from what is fixed."""
    assert run(slot()) == [0, 8, 16]
    assert run(slot(num_fixed=10)) == [0, 8, 10, 18]
    made = slot(num_fixed=10)
    made.skip_fixed()
    assert run(made) == [10, 18] and made.is_fresh


def test_unchanged_chunks_are_kept() -> None:
    """Up to the last border before the first row that differs; the last row is always run."""
    for other, starts in (
        (ROWS, [16]),
        (changed(17), [16]),
        (changed(12), [8, 16]),
        (changed(0), [0, 8, 16]),
    ):
        made = slot()
        run(made)
        made.begin(other, 0, 8)
        assert run(made) == starts


def test_what_may_be_overwritten_is_not_trusted() -> None:
    """A prompt that was not run to its end counts only as far as the one before it was kept."""
    made = slot()
    run(made)
    made.begin(changed(9), 0, 8)
    made.ran()
    made.begin(changed(9), 0, 8)
    assert made.length == 8
    made.forget()
    made.begin(ROWS, 0, 8)
    assert made.length == 0


def test_another_number_of_codebooks_needs_another_cache() -> None:
    """With the same number a new stream finds what the last one left."""
    for n_vq, length in ((2, 16), (1, 0)):
        made = slot()
        run(made)
        made.open(n_vq)
        made.begin(ROWS, 0, 8)
        assert made.length == length and not made.is_fresh
