from __future__ import annotations

import pytest
import torch
from torch import nn

from moss_stream.models.packing import MIN_NUMEL, PackedLinear, pack_linears


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("rows", [1, 5])
def test_a_packed_layer_computes_the_same(dtype: torch.dtype, rows: int) -> None:
    """Packing changes the layout, not the result, for one row and for several."""
    torch.manual_seed(0)
    plain = nn.Linear(1024, 512, dtype=dtype)
    model = nn.Sequential(plain)
    pack_linears(model)
    x = torch.randn(2, rows, 1024).to(dtype)
    assert isinstance(model[0], PackedLinear)
    tolerance = 1e-4 if dtype == torch.float32 else 2e-2
    with torch.inference_mode():
        torch.testing.assert_close(model(x), plain(x), atol=tolerance, rtol=tolerance)


def test_small_layers_stay_as_they_are() -> None:
    """Only layers that outgrow the caches are packed."""
    model = nn.Sequential(nn.Linear(64, 64), nn.Linear(1024, MIN_NUMEL // 1024))
    pack_linears(model)
    assert [type(layer) for layer in model] == [nn.Linear, PackedLinear]


def test_packing_keeps_one_copy_of_a_weight() -> None:
    """A packed layer has no plain weight beside it."""
    model = nn.Sequential(nn.Linear(1024, 1024, bias=False))
    pack_linears(model)
    assert list(model.parameters()) == []
