"""The logits that 8 bits are judged by are those that the golden runs were made with."""

from __future__ import annotations

import pytest
import torch
from golden_data import CPU, GOLDEN

from benchmarks.teacher import golden, logits
from moss_stream.config import EngineOptions
from moss_stream.families.family import find


@pytest.mark.parametrize("kind", ["local", "local_v15", "delay", "realtime"])
def test_the_likeliest_codes_are_the_golden_ones(kind: str) -> None:
    """Of greedy runs all of them, but where a penalty held."""
    folder = GOLDEN / kind
    network = find(folder).network(CPU, torch.float32, EngineOptions(text_head="full"))
    runs, same = list(golden(folder, network.rows)), []
    for run in runs:
        found = logits(network, run)[:, : network.rows.codebook_size].argmax(dim=-1)
        same.append((found == torch.from_numpy(run.rows)[:, 1:][run.is_code]).float().mean().item())
        assert len(found) == run.is_code.sum() > 16
    assert len(runs) >= 6
    if kind == "realtime":
        assert same[::2] == [1.0] * len(same[::2]) and min(same) < 1, "every other run has a penalty"
    else:
        assert same == [1.0] * len(same)
