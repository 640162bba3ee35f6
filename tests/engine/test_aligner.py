from __future__ import annotations

import torch

from moss_stream.engine.aligner import Immediate
from moss_stream.engine.generator import Step
from moss_stream.families.network import RowFormat

LOCAL = RowFormat(2, 8, 9, 8, end_channel=0, end_id=9, max_rows=100)
REALTIME = RowFormat(2, 8, 11, None, end_channel=1, end_id=10, max_rows=100)


def step(*rows: list[int]) -> Step:
    return Step(torch.tensor(rows), torch.ones(len(rows), dtype=torch.bool), 2)


def test_every_row_but_the_end_is_a_frame() -> None:
    """Its codes are those of the row, as they are."""
    aligned = Immediate(LOCAL).align(step([7, 1, 2], [9, 3, 4], [7, 5, 6]))
    assert aligned.codes.tolist() == [[1, 2], [3, 4], [5, 6]]
    assert aligned.has_frame.tolist() == [True, False, True]
    assert aligned.is_end.tolist() == [False, True, False]


def test_the_end_may_show_in_the_first_codebook() -> None:
    """And what the codec does not know is no frame, but no end either."""
    aligned = Immediate(REALTIME).align(step([10, 1, 2], [0, 10, 4], [0, 8, 6], [0, 5, 9]))
    assert aligned.has_frame.tolist() == [True, False, False, False]
    assert aligned.is_end.tolist() == [False, True, False, False]
    assert aligned.codes.max() < 8, "the codec looks nothing up that it has not"
