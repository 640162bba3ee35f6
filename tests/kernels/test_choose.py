from __future__ import annotations

import builtins
import logging
from collections.abc import Iterator
from typing import Any

import pytest
import torch
from kernel_lab import DEVICE, DTYPES
from torch import Tensor, nn

from moss_stream.kernels import choose, project
from moss_stream.kernels.choose import choose_ops, difference, trials
from moss_stream.kernels.ops import KernelOps
from moss_stream.nn.ops import TorchOps

CUDA = torch.device("cuda")


@pytest.fixture
def gpu(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A device of capability 9.0, whose work the CPU does."""
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device: (9, 0))
    monkeypatch.setattr(choose, "difference", lambda ours, device, dtype: None)
    yield


class Wrong(TorchOps):
    """Forgets the norm of wide rows."""

    def project(
        self, x: Tensor, linear: nn.Module, norm: nn.Module | None = None, activation: Any = "none"
    ) -> Tensor:
        return super().project(x, linear, None if len(x) == 8 else norm, activation)


@pytest.mark.ci
@pytest.mark.slow
@pytest.mark.parametrize("dtype", DTYPES if DEVICE.type == "cuda" else DTYPES[:1], ids=str)
def test_the_kernels_compute_what_pytorch_computes(
    dtype: torch.dtype, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every operation, for every number of rows that it has a kernel for."""
    if DEVICE.type == "cpu":
        monkeypatch.setattr(project, "blocks_for", lambda rows, is_gated: project.Blocks(64, 128))
    assert difference(KernelOps(), DEVICE, dtype) is None


def test_a_wrong_result_is_found() -> None:
    """Where it is wrong is said; PyTorch agrees with itself."""
    assert difference(TorchOps(), DEVICE, torch.float32) is None
    found = difference(Wrong(), DEVICE, torch.float32)
    assert str(found).startswith("product behind an RMS norm of 8 rows is off")


def test_numbers_that_are_none_are_wrong(monkeypatch: pytest.MonkeyPatch) -> None:
    """NaN is not near anything."""
    nothing = {name: value * torch.nan for name, value in trials(TorchOps(), DEVICE, torch.float32).items()}
    original = choose.trials
    monkeypatch.setattr(
        choose, "trials", lambda ops, *rest: nothing if isinstance(ops, Wrong) else original(ops, *rest)
    )
    assert difference(Wrong(), DEVICE, torch.float32) is not None


def test_pytorch_where_there_are_no_kernels(monkeypatch: pytest.MonkeyPatch) -> None:
    """On a CPU, and on a GPU without bfloat16."""
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device: (7, 5))
    assert type(choose_ops(torch.device("cpu"), torch.float32)) is TorchOps
    assert type(choose_ops(CUDA, torch.float16)) is TorchOps


@pytest.mark.usefixtures("gpu")
def test_kernels_where_they_are_right(caplog: pytest.LogCaptureFixture) -> None:
    """Without a word."""
    assert type(choose_ops(CUDA, torch.bfloat16)) is KernelOps
    assert not caplog.records


@pytest.mark.usefixtures("gpu")
def test_one_warning_where_they_are_wrong(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Speech is slower then, and right."""
    caplog.set_level(logging.WARNING)
    monkeypatch.setattr(choose, "difference", lambda ours, device, dtype: "attention is off by 0.3")
    assert type(choose_ops(CUDA, torch.bfloat16)) is TorchOps
    assert "attention is off by 0.3" in caplog.records[0].message and len(caplog.records) == 1


@pytest.mark.usefixtures("gpu")
def test_one_warning_without_triton(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """It is optional."""
    real = builtins.__import__

    def without(name: str, *rest: Any) -> Any:
        if name == "moss_stream.kernels.ops":
            raise ModuleNotFoundError("No module named 'triton'")
        return real(name, *rest)

    monkeypatch.setattr(builtins, "__import__", without)
    assert type(choose_ops(CUDA, torch.bfloat16)) is TorchOps
    assert "No module named 'triton'" in caplog.text
