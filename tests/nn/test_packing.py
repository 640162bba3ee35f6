from __future__ import annotations

import logging

import pytest
import torch
from golden_data import CPU, GOLDEN
from torch import Tensor, nn

from moss_stream.config import EngineOptions
from moss_stream.families.local.load import load_local
from moss_stream.nn import packing
from moss_stream.nn.packing import MIN_NUMEL, PackedLinear, pack_linears, why_plain

FLOATS = [torch.float32, torch.bfloat16, torch.float16]


@pytest.fixture
def an_older_cpu(monkeypatch: pytest.MonkeyPatch) -> None:
    """One whose oneDNN packs float32 only: what it says is what one with AVX2 alone says."""
    reorder = torch.ops.mkldnn._reorder_linear_weight

    def only_float32(weight: Tensor, batch: int) -> Tensor:
        if weight.dtype != torch.float32:
            raise RuntimeError("mkldnn_reorder_linear_weight: bf16 path needs the cpu support\nmore")
        packed: Tensor = reorder(weight, batch)
        return packed

    monkeypatch.setattr(torch.ops.mkldnn, "_reorder_linear_weight", only_float32)


@pytest.mark.parametrize("dtype", FLOATS, ids=str)
@pytest.mark.parametrize("rows", [1, 5])
def test_a_packed_layer_computes_the_same(dtype: torch.dtype, rows: int) -> None:
    """Packing changes the layout, not the result; what this CPU cannot pack stays as it was.

    The sums are made in another order, so the last bits differ: those of 1024 products in float32,
    and the rounding of the result in the others.
    """
    torch.manual_seed(0)
    plain = nn.Linear(1024, 512, dtype=dtype)
    model = nn.Sequential(plain)
    pack_linears(model)
    x = torch.randn(2, rows, 1024).to(dtype)
    assert isinstance(model[0], PackedLinear) is (why_plain(dtype) is None)
    tolerance = 1e-4 if dtype == torch.float32 else 2e-2
    with torch.inference_mode():
        torch.testing.assert_close(model(x), plain(x), atol=tolerance, rtol=tolerance)


def test_small_layers_stay_as_they_are() -> None:
    """Only layers that outgrow the caches are packed."""
    model = nn.Sequential(nn.Linear(64, 64), nn.Linear(1024, MIN_NUMEL // 1024))
    pack_linears(model)
    large = PackedLinear if why_plain(torch.float32) is None else nn.Linear
    assert [type(layer) for layer in model] == [nn.Linear, large]


def test_packing_keeps_one_copy_of_a_weight() -> None:
    """A packed layer has no plain weight beside it."""
    if why_plain(torch.float32) is not None:
        pytest.skip("nothing is packed here")
    model = nn.Sequential(nn.Linear(1024, 1024, bias=False))
    pack_linears(model)
    assert list(model.parameters()) == []


@pytest.mark.usefixtures("an_older_cpu")
def test_what_cannot_be_packed_stays_and_is_reported_once(caplog: pytest.LogCaptureFixture) -> None:
    """One line for a dtype, however many layers; the other dtypes are packed as ever."""
    layers = [nn.Linear(1024, 512, bias=False, dtype=dtype) for dtype in (torch.bfloat16, torch.float32) * 3]
    model = nn.Sequential(*layers)
    with caplog.at_level(logging.WARNING, logger="moss_stream"):
        pack_linears(model)
    assert [type(layer) for layer in model] == [nn.Linear, PackedLinear] * 3
    (line,) = caplog.messages
    assert "bfloat16 stay unpacked" in line and "moss-stream doctor" in line and "more" not in line


@pytest.mark.usefixtures("an_older_cpu")
def test_nothing_is_said_where_nothing_is_lost(caplog: pytest.LogCaptureFixture) -> None:
    """A model whose layers are all small is as fast either way."""
    model = nn.Sequential(nn.Linear(64, 64, dtype=torch.bfloat16))
    with caplog.at_level(logging.DEBUG, logger="moss_stream"):
        pack_linears(model)
    assert caplog.messages == []


@pytest.mark.usefixtures("an_older_cpu")
@pytest.mark.parametrize("dtype", FLOATS, ids=str)
def test_a_model_loads_in_every_dtype(dtype: torch.dtype, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the CPU cannot pack does not keep a model from being loaded."""
    monkeypatch.setattr(packing, "MIN_NUMEL", 1)
    model = load_local(GOLDEN / "local", CPU, dtype, EngineOptions())
    packed = any(isinstance(layer, PackedLinear) for layer in model.modules())
    assert packed is (dtype == torch.float32)


def test_a_layout_that_computes_something_else_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is tried against PyTorch's own product before any layer relies on it."""
    product = torch.ops.mkldnn._linear_pointwise
    monkeypatch.setattr(torch.ops.mkldnn, "_linear_pointwise", lambda *args: product(*args).flip(-1))
    model = nn.Sequential(nn.Linear(1024, 512, bias=False))
    pack_linears(model)
    assert type(model[0]) is nn.Linear and why_plain(torch.float32) == "the packed product is wrong"


def test_trying_draws_no_random_numbers() -> None:
    """A seed set before a model is loaded gives what it gives without one."""
    torch.manual_seed(3)
    wanted = torch.rand(4)
    torch.manual_seed(3)
    why_plain(torch.float32)
    assert torch.equal(torch.rand(4), wanted)
