from __future__ import annotations

import pytest
import torch

from moss_stream.engine import device, trial
from moss_stream.engine.trial import GAIN, Trial, measure

CPU = torch.device("cpu")


@pytest.mark.parametrize(
    ("float32", "bfloat16", "best"),
    [
        ((1.0, 4.0), (0.5, 2.0), "bfloat16"),
        ((1.0, 4.0), (0.5, 20.0), "float32"),
        ((1.0, 4.0), (2.0, 2.0), "float32"),
        ((1.0, 4.0), (1.01 / GAIN, 1.01 * 4.0 / GAIN), "float32"),
    ],
    ids=["faster", "slow with many rows", "slow with one row", "about the same"],
)
def test_bfloat16_must_be_faster_for_one_row_and_for_many(
    float32: tuple[float, float], bfloat16: tuple[float, float], best: str
) -> None:
    """Speech starts with a prompt of many rows and goes on with frames of one."""
    assert Trial(float32, bfloat16).best == best


@pytest.mark.parametrize("best", ["float32", "bfloat16"])
def test_auto_takes_what_was_measured(best: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """On the CPU; a dtype that was asked for is not questioned."""
    slow, fast = (9.0, 9.0), (1.0, 1.0)
    found = Trial(slow, fast) if best == "bfloat16" else Trial(fast, slow)
    monkeypatch.setattr(device, "measure", lambda: found)
    assert device.choose_dtype("auto", CPU) is getattr(torch, best)
    assert device.choose_dtype("float16", CPU) is torch.float16


def test_a_process_measures_once_and_leaves_the_threads_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every model of a process gets the same answer, and threads are as they were."""
    threads = torch.get_num_threads()
    measure.cache_clear()
    first = measure()
    assert min(*first.float32, *first.bfloat16) > 0
    assert torch.get_num_threads() == threads
    monkeypatch.setattr(trial, "_measure", lambda: pytest.fail("measured again"))
    assert measure() is first


def test_what_cannot_be_packed_is_measured_plain(monkeypatch: pytest.MonkeyPatch) -> None:
    """A CPU without packing has a faster dtype, too."""
    monkeypatch.setattr(trial, "why_plain", lambda dtype: "no")
    monkeypatch.setattr(trial, "pack", lambda weight: pytest.fail("packed all the same"))
    measure.cache_clear()
    assert measure().best in ("float32", "bfloat16")
    measure.cache_clear()
