"""The operations of a layer by our kernels, where they fit; by PyTorch where they do not."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor, nn

from moss_stream.kernels.attend import MAX_QUERIES, attend, splits_for
from moss_stream.kernels.project import MAX_ROWS, Product, project
from moss_stream.kernels.rows import gate, normalise
from moss_stream.kernels.sample import MAX_SIZE, sample
from moss_stream.nn.cache import KVCache, RingCache
from moss_stream.nn.int8 import Int8Linear
from moss_stream.nn.layers import Heads, RMSNorm
from moss_stream.nn.ops import Activation, Place, TorchOps
from moss_stream.nn.sampling import Draw

__all__ = ["KernelOps"]

MAX_FLOAT_ROWS = 2
"""A program reads all rows again for each output column. Measured on an H100: a frame of 4 streams took 29 ms
by the kernel, one of 16 by PyTorch's library, which has matrix units, 22, and one of 2 by the kernel 20.
Weights of 8 bits, which the library has to widen first, stay with the kernel for all rows that it takes."""
NO_LIMIT = 1 << 62
"""More rows than any stream has; a ring finds its own."""


class KernelOps(TorchOps):
    """`moss_stream.nn.ops.Ops`: few rows, and short steps, go through the kernels.

    Args:
        max_rows: Products of more rows with weights that are floats are left to PyTorch's library.
    """

    def __init__(self, max_rows: int = MAX_FLOAT_ROWS) -> None:
        self._max_rows = max_rows

    def project(
        self, x: Tensor, linear: nn.Module, norm: nn.Module | None = None, activation: Activation = "none"
    ) -> Tensor:
        """See `Ops`."""
        product = self._product(x, linear, norm, activation)
        if product is not None:
            return project(x.contiguous(), product)
        if isinstance(norm, RMSNorm):
            x, norm = normalise(x.contiguous(), norm.weight, norm.eps), None
        if activation == "gated":
            return gate(super().project(x, linear, norm).contiguous())
        return super().project(x, linear, norm, activation)

    def add(self, x: Tensor, linear: nn.Module, residual: Tensor, scale: Tensor | None = None) -> Tensor:
        """See `Ops`."""
        product = self._product(x, linear, None, "none")
        if product is not None:
            return project(x.contiguous(), product, residual.contiguous(), scale)
        if scale is None and isinstance(linear, nn.Linear) and linear.bias is None:
            # The library adds where it stores.
            flat = torch.addmm(residual.flatten(0, -2), x.flatten(0, -2), linear.weight.mT)
            return flat.view_as(residual)
        return residual + linear(x) if scale is None else torch.addcmul(residual, linear(x), scale)

    def attend(
        self, qkv: Tensor, heads: Heads, cache: KVCache | RingCache, layer: int, place: Place
    ) -> Tensor:
        """See `Ops`."""
        b, t, _ = qkv.shape
        if not self.finds_rows(heads, t):
            return super().attend(qkv, heads, cache, layer, place)
        if isinstance(cache, RingCache):
            window, limit = cache.window, NO_LIMIT
        else:
            window, limit = cache.capacity, place.context
        # A step whose position the host knows is short: one program reads all of it.
        splits = 1 if place.index is not None else splits_for(b * heads.kv_heads)
        return attend(
            qkv,
            heads,
            place.rotation,
            place.positions,
            cache.keys[layer],
            cache.values[layer],
            window,
            limit,
            splits,
        )

    def finds_rows(self, heads: Heads, length: int) -> bool:
        """See `Ops`."""
        is_power_of_2 = heads.dim & (heads.dim - 1) == 0
        return is_power_of_2 and length * heads.heads // heads.kv_heads <= MAX_QUERIES

    def sample(self, logits: Tensor, draw: Draw, out: Tensor) -> None:
        """See `Ops`."""
        if logits.shape[1] > MAX_SIZE:
            super().sample(logits, draw, out)
        else:
            sample(logits, draw, out)

    def _product(
        self, x: Tensor, linear: nn.Module, norm: nn.Module | None, activation: Activation
    ) -> Product | None:
        """Return what a kernel has to do; None if it cannot."""
        most = MAX_ROWS if isinstance(linear, Int8Linear) else self._max_rows
        if x.numel() > most * x.shape[-1]:
            return None
        weight: Tensor
        row_scale: Tensor | None
        if isinstance(linear, Int8Linear):
            weight, row_scale = linear.weight, linear.scale
        elif isinstance(linear, nn.Linear):
            weight, row_scale = linear.weight, None
        else:
            return None
        plain = Product(weight, row_scale, activation=activation, bias=linear.bias)
        if norm is None:
            return plain
        if isinstance(norm, RMSNorm):
            return replace(plain, norm="rms", norm_weight=norm.weight, eps=norm.eps)
        if isinstance(norm, nn.LayerNorm) and norm.elementwise_affine:
            return replace(plain, norm="layer", norm_weight=norm.weight, norm_bias=norm.bias, eps=norm.eps)
        return None
