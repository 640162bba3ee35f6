from __future__ import annotations

import pytest
import torch

from moss_stream.engine.device import choose_device, choose_dtype
from moss_stream.errors import ConfigError


def test_auto_chooses_a_device_that_works() -> None:
    """The chosen device and number format can compute."""
    device = choose_device("auto")
    dtype = choose_dtype("auto", device)
    assert torch.ones(2, device=device, dtype=dtype).sum().item() == 2


@pytest.mark.parametrize("name", ["gpu", "cuda:99", "meta", ""])
def test_a_device_that_is_not_there_is_named(name: str) -> None:
    """A wrong device is an error that names it and says what to use."""
    with pytest.raises(ConfigError, match=r"Use|CUDA device"):
        choose_device(name)


def test_dtypes_by_long_and_short_name() -> None:
    """bf16 and bfloat16 mean the same; anything else is an error that lists the choices."""
    cpu = torch.device("cpu")
    assert choose_dtype("bf16", cpu) is choose_dtype("bfloat16", cpu) is torch.bfloat16
    assert choose_dtype("fp32", cpu) is torch.float32
    with pytest.raises(ConfigError, match="float16"):
        choose_dtype("int8", cpu)
