from __future__ import annotations

import pytest
import torch
from golden_data import CPU, GOLDEN
from torch import nn

from moss_stream.config import EngineOptions
from moss_stream.errors import ConfigError
from moss_stream.families.local.load import load_local
from moss_stream.nn.int8 import ROUNDED_AT_ONCE, Int8Linear, quantize_linears, try_int8


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("shape", [(1,), (2, 5)])
def test_a_rounded_layer_is_near_the_original(dtype: torch.dtype, shape: tuple[int, ...]) -> None:
    """Half a level of the largest weight for each product: under one percent of the result's size."""
    torch.manual_seed(0)
    plain = nn.Linear(1024, 512, bias=False, dtype=dtype)
    x = torch.randn(*shape, 1024).to(dtype)
    with torch.inference_mode():
        ours, theirs = Int8Linear(plain)(x), plain(x)
    assert ours.shape == theirs.shape and ours.dtype == dtype
    error = (ours.float() - theirs.float()).norm() / theirs.float().norm()
    assert 0 < error < 0.01


def test_other_devices_need_no_special_product() -> None:
    """Any version of PyTorch can do it there."""
    x = torch.empty(2, 1, 64, device="meta", dtype=torch.bfloat16)
    layer = Int8Linear(nn.Linear(64, 96, bias=False, device="meta", dtype=torch.bfloat16))
    assert layer(x).shape == (2, 1, 96) and layer(x).dtype == torch.bfloat16


def test_rows_have_scales_of_their_own() -> None:
    """A row of small weights is as exact as one of large ones; a row of zeros stays zero."""
    plain = nn.Linear(64, 3, bias=False)
    with torch.no_grad():
        plain.weight.copy_(torch.randn(3, 64) * torch.tensor([[1e-3], [1e3], [0.0]]))
        x = torch.randn(1, 64)
        error = (Int8Linear(plain)(x) - plain(x)).abs()[0]
        size = x.norm() * plain.weight.norm(dim=1)
    assert (error[:2] < 0.01 * size[:2]).all() and error[2] == 0


def test_small_layers_stay() -> None:
    """Only what a frame waits for is rounded, and no plain weight is kept beside it."""
    model = nn.Sequential(nn.Linear(8, 8, bias=False), nn.Linear(512, 512), nn.Linear(512, 512, bias=False))
    quantize_linears(model)
    assert [type(layer) for layer in model] == [nn.Linear, Int8Linear, Int8Linear]
    kinds = [[parameter.dtype for parameter in layer.parameters()] for layer in model]
    assert kinds == [[torch.float32], [torch.float32, torch.int8], [torch.int8]]


def test_a_weight_can_come_later_and_is_rounded_in_parts() -> None:
    """As when a large model is loaded: first the layer, then its matrix, whatever its size."""
    weight = torch.randn(3 * ROUNDED_AT_ONCE // 65_536 + 1, 65_536)
    plain = nn.Linear(weight.shape[1], weight.shape[0], bias=False, device="meta")
    later = Int8Linear(plain)
    assert later.weight.is_meta and later.weight.shape == weight.shape
    later.take(weight)
    plain.weight = nn.Parameter(weight)
    at_once = Int8Linear(plain)
    assert torch.equal(later.weight, at_once.weight) and torch.equal(later.scale, at_once.scale)
    assert (later.weight * later.scale[:, None] - weight).abs().max() <= 0.51 * later.scale.max()


@pytest.mark.parametrize("device", ["cpu", "meta"])
def test_a_bias_is_added(device: str) -> None:
    """It is not rounded."""
    plain = nn.Linear(64, 96, device=device)
    with torch.inference_mode():
        ours, x = Int8Linear(plain), torch.ones(2, 1, 64, device=device)
        assert ours(x).shape == (2, 1, 96)
        if device == "cpu":
            ours.weight.zero_()
            assert torch.equal(ours(x), plain.bias.expand(2, 1, 96))


def test_a_device_without_the_product_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    """Not at the first frame, but when it is loaded."""

    def missing(*args: object) -> None:
        raise NotImplementedError("Could not run 'aten::_weight_int8pack_mm'\nmore")

    monkeypatch.setattr(torch, "_weight_int8pack_mm", missing)
    with pytest.raises(ConfigError, match=r"backbone_int8 does not work on cpu .*Leave it out"):
        try_int8(CPU, torch.float32, "backbone_int8")
    for options in (EngineOptions(depth_int8=True), EngineOptions(backbone_int8=True)):
        with pytest.raises(ConfigError, match="_int8 does not work on cpu"):
            load_local(GOLDEN / "local", CPU, torch.float32, options)
