from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from kernel_lab import DEVICE, DTYPES, near, random
from torch import Tensor

from moss_stream.kernels.project import Blocks, Product, blocks_for, project

BLOCKS = Blocks(32, 64)
"""Few programs: the interpreter runs them one after the other."""


def wanted(x: Tensor, product: Product) -> Tensor:
    """What PyTorch computes, in float32."""
    value, k = x.float(), x.shape[-1]
    if product.norm == "rms" and product.norm_weight is not None:
        value = F.rms_norm(value, (k,), product.norm_weight.float(), product.eps)
    if product.norm == "layer" and product.norm_weight is not None and product.norm_bias is not None:
        value = F.layer_norm(value, (k,), product.norm_weight.float(), product.norm_bias.float(), product.eps)
    weight = product.weight.float()
    if product.row_scale is not None:
        weight = weight * product.row_scale.float()[:, None]
    value = value @ weight.T if product.bias is None else value @ weight.T + product.bias.float()
    if product.activation == "gated":
        gate, up = value.chunk(2, dim=-1)
        return F.silu(gate) * up
    if product.activation == "silu":
        return F.silu(value)
    return F.gelu(value) if product.activation == "gelu" else value


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("rows", [1, 3, 8])
@pytest.mark.parametrize(("norm", "activation"), [("none", "none"), ("rms", "gated"), ("layer", "gelu")])
def test_a_product_with_what_is_around_it(rows: int, norm: str, activation: str, dtype: torch.dtype) -> None:
    """Widths that are no multiple of a block, any number of rows: as PyTorch computes it."""
    k, n = 150, 40
    x = random(rows, 1, k, dtype=dtype) + 3  # a mean far from zero
    weight = random(2 * n if activation == "gated" else n, k, dtype=dtype) / 12
    product = Product(
        weight, None, norm, random(k, dtype=dtype), random(k, seed=1, dtype=dtype), 1e-5, activation
    )
    ours = project(x, product, blocks=BLOCKS)
    assert ours.shape == (rows, 1, n) and ours.dtype == dtype
    assert near(ours, wanted(x, product))


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_a_sum_and_its_scale(dtype: torch.dtype) -> None:
    """The residual is added, and what is added can be scaled for each column."""
    x, residual, scale = random(2, 64, dtype=dtype), random(2, 40, dtype=dtype), random(40, dtype=dtype)
    product = Product(random(40, 64, dtype=dtype) / 8)
    plain = wanted(x, product)
    assert near(project(x, product, residual, blocks=BLOCKS), residual.float() + plain)
    both = project(x, product, residual, scale, blocks=BLOCKS)
    assert near(both, residual.float() + scale.float() * plain)


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize(("norm", "activation"), [("layer", "silu"), ("none", "none"), ("rms", "gated")])
def test_a_bias(norm: str, activation: str, dtype: torch.dtype) -> None:
    """It is added before the activation, to both halves of a gated one."""
    x, columns = random(2, 64, dtype=dtype), 80 if activation == "gated" else 40
    weight, bias = random(columns, 64, dtype=dtype) / 8, random(columns, dtype=dtype)
    norms = random(64, dtype=dtype), random(64, seed=1, dtype=dtype)
    product = Product(weight, None, norm, *norms, 1e-5, activation, bias)
    assert near(project(x, product, blocks=BLOCKS), wanted(x, product))


@pytest.mark.parametrize("activation", ["none", "gated"])
def test_a_weight_of_8_bits(activation: str) -> None:
    """Whole numbers and a factor for each row."""
    weight = torch.randint(-127, 128, (80, 64), generator=torch.Generator().manual_seed(0)).to(
        DEVICE, torch.int8
    )
    product = Product(weight, random(80).abs() / 500, activation=activation)
    x = random(2, 64)
    assert near(project(x, product, blocks=BLOCKS), wanted(x, product))


@pytest.mark.parametrize("is_gated", [False, True])
def test_the_sums_of_a_program_stay_in_its_registers(is_gated: bool) -> None:
    """However many rows there are: 4,096 numbers for 128 threads, and at least one column."""
    for rows in (1, 2, 4, 8):
        blocks = blocks_for(rows, is_gated)
        assert 1024 <= rows * blocks.columns * blocks.inputs * (2 if is_gated else 1) <= 4096


def test_the_cut_does_not_change_the_result() -> None:
    """The default is one of many."""
    x, product = random(1, 600), Product(random(24, 600) / 24, None, "rms", random(600), eps=1e-6)
    assert near(project(x, product), project(x, product, blocks=BLOCKS))
