from __future__ import annotations

import torch

from moss_stream.engine.aligner import Immediate
from moss_stream.engine.generator import Step


def test_every_row_but_the_end_is_a_frame() -> None:
    """Its codes are those of the row, as they are."""
    rows = torch.tensor([[7, 1, 2], [9, 3, 4], [7, 5, 6]])
    aligned = Immediate(9).align(Step(rows, torch.ones(3, dtype=torch.bool), 2))
    assert aligned.codes.tolist() == [[1, 2], [3, 4], [5, 6]]
    assert aligned.has_frame.tolist() == [True, False, True]
    assert aligned.is_end.tolist() == [False, True, False]
