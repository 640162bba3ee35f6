from __future__ import annotations

import torch
import torch.nn.functional as F
from golden_data import CPU

from moss_stream.nn.layers import (
    GatedMLP,
    RMSNorm,
    WideRotary,
    grouped_attention,
    rotary_table,
    rotate_half,
)


def test_grouped_attention_equals_attention_over_repeated_keys() -> None:
    """Folding the query groups gives what repeating keys and values gives."""
    torch.manual_seed(0)
    q, k, v = torch.randn(2, 3, 6, 8), torch.randn(2, 2, 5, 8), torch.randn(2, 2, 5, 8)
    mask = torch.rand(2, 1, 3, 5) > 0.3
    mask[..., 0] = True
    keys, values = k.repeat_interleave(3, dim=1), v.repeat_interleave(3, dim=1)
    wanted = (
        F.scaled_dot_product_attention(q.transpose(1, 2), keys, values, mask)
        .transpose(1, 2)
        .reshape(2, 3, 48)
    )
    torch.testing.assert_close(grouped_attention(q, k, v, mask), wanted)


def test_wide_rotary_is_exact_after_ten_hours() -> None:
    """Angles of late positions are right to 1e-6, where float32 would be off by 0.1."""
    rotary = WideRotary(8, 10_000.0, CPU)
    positions = torch.tensor([[0, 1, 1023, 1024, 360_000, 3_600_000]])
    frequencies = 10_000.0 ** (-torch.arange(4, dtype=torch.float64) * 2 / 8)
    angles = positions[0, :, None].double() * frequencies
    cos, sin = rotary.tables(positions)
    torch.testing.assert_close(cos[0, :, 0].double(), angles.cos(), atol=1e-6, rtol=0)
    torch.testing.assert_close(sin[0, :, 0].double(), angles.sin(), atol=1e-6, rtol=0)


def test_wide_rotary_turns_neighbouring_pairs() -> None:
    """Entries 2i and 2i + 1 are the real and imaginary part of one number."""
    x = torch.tensor([[[[1.0, 0.0, 0.0, 1.0]]]])
    cos, sin = torch.tensor([[[[0.0, 0.0]]]]), torch.tensor([[[[1.0, 1.0]]]])
    assert WideRotary.rotate(x, cos, sin).tolist() == [[[[0.0, 1.0, -1.0, 0.0]]]]


def test_rotate_half_keeps_lengths_and_depends_on_distance_only() -> None:
    """Scalar products of rotated vectors depend on the difference of their positions."""
    torch.manual_seed(0)
    cos, sin = rotary_table(64, 8, 10_000.0)
    q, k = torch.randn(8), torch.randn(8)

    def product(a: int, b: int) -> float:
        turned = [rotate_half(x, cos[i], sin[i]) for x, i in ((q, a), (k, b))]
        return float(turned[0] @ turned[1])

    assert abs(product(3, 10) - product(43, 50)) < 1e-5
    assert abs(product(3, 10) - product(3, 11)) > 1e-3


def test_gated_mlp_and_norm_are_their_formulas() -> None:
    """The fused matrices compute down(silu(gate x) * up x); the norm divides by the root mean square."""
    torch.manual_seed(0)
    mlp, x = GatedMLP(4, 6, 3), torch.randn(2, 4)
    gate, up = mlp.gate_up_proj.weight.split(6)
    torch.testing.assert_close(mlp(x), (F.silu(x @ gate.T) * (x @ up.T)) @ mlp.down_proj.weight.T)
    norm = RMSNorm(4)
    torch.nn.init.constant_(norm.weight, 2.0)
    torch.testing.assert_close(
        norm(x), 2 * x / x.square().mean(-1, keepdim=True).sqrt(), atol=1e-5, rtol=1e-5
    )
