from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import nn

from moss_stream.nn.layers import Heads, RMSNorm
from moss_stream.nn.ops import TorchOps, use


def test_products_are_their_formulas() -> None:
    """Norm before, activation after; a sum with and without scale.

    Up to rounding: a platform may multiply and add in one operation.
    """
    torch.manual_seed(0)
    near = torch.testing.assert_close
    ops, linear, norm, x = TorchOps(), nn.Linear(8, 6, bias=False), RMSNorm(8), torch.randn(2, 8)
    nn.init.constant_(norm.weight, 2.0)
    gate, up = linear(norm(x)).chunk(2, dim=-1)
    near(ops.project(x, linear), linear(x))
    near(ops.project(x, linear, norm, "gated"), F.silu(gate) * up)
    near(ops.project(x, linear, None, "gelu"), F.gelu(linear(x)))
    near(ops.project(x, linear, None, "silu"), F.silu(linear(x)))
    residual, scale = torch.randn(2, 6), torch.randn(6)
    near(ops.add(x, linear, residual), residual + linear(x))
    near(ops.add(x, linear, residual, scale), residual + scale * linear(x))


def test_a_model_can_be_given_other_operations() -> None:
    """All layers that compute with operations get them; PyTorch's need masks."""

    class Layer(nn.Module):
        ops = TorchOps()

    model, ops = nn.Sequential(Layer(), nn.Linear(2, 2), nn.Sequential(Layer())), TorchOps()
    use(ops, model)
    assert all(layer.ops is ops for layer in model.modules() if isinstance(layer, Layer))
    assert not ops.finds_rows(Heads(2, 2, 8), 1)
