"""The operations that transformer layers are made of, so that a device can bring its own.

A layer is four products and an attention. `TorchOps` does them with PyTorch; `moss_stream.kernels` has
others, which do the same with fewer reads and launches.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal, Protocol

import torch.nn.functional as F
from torch import Tensor, nn

from moss_stream.nn.cache import KVCache, RingCache
from moss_stream.nn.layers import Heads, Rotation, grouped_attention
from moss_stream.nn.sampling import Draw, sample

__all__ = ["Activation", "Ops", "Place", "TorchOps", "use"]

Activation = Literal["none", "gated", "gelu", "silu"]
"""What follows a product; "gated" is silu(first half) * second half."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where the rows of a step stand, and what they may see.

    Attributes:
        positions: [B, T] int64.
        context: How many rows of a linear cache are attended over; sequences that stand there or behind
            are computed, but nobody reads their result.
        mask: [B, 1, T, rows], true where attention is allowed; None if all of the context is.
        rotation: Of queries and keys.
        index: The position of all rows, if the host knows it and it is the same for all.
    """

    positions: Tensor
    context: int
    mask: Tensor | None
    rotation: Rotation
    index: int | None = None


class Ops(Protocol):
    """What layers are computed with."""

    def project(
        self, x: Tensor, linear: nn.Module, norm: nn.Module | None = None, activation: Activation = "none"
    ) -> Tensor:
        """Return activation(linear(norm(x))) of `x` [..., in]."""

    def add(self, x: Tensor, linear: nn.Module, residual: Tensor, scale: Tensor | None = None) -> Tensor:
        """Return residual + scale * linear(x)."""

    def attend(
        self, qkv: Tensor, heads: Heads, cache: KVCache | RingCache, layer: int, place: Place
    ) -> Tensor:
        """Store the keys and values in `qkv` [B, T, (H + 2 Hkv) D] and attend: [B, T, H D]."""

    def finds_rows(self, heads: Heads, length: int) -> bool:
        """Tell whether `attend`, for `length` rows of each sequence, needs no mask.

        It then finds out by itself which rows are in use, and a large context costs no more than a small one.
        """

    def sample(self, logits: Tensor, draw: Draw, out: Tensor) -> None:
        """Sample one value of each row of `logits` [B, V] into `out` [B] int64."""


class TorchOps:
    """`Ops` by PyTorch, on any device."""

    def project(
        self, x: Tensor, linear: nn.Module, norm: nn.Module | None = None, activation: Activation = "none"
    ) -> Tensor:
        """See `Ops`."""
        out: Tensor = linear(x if norm is None else norm(x))
        if activation == "gated":
            gate, up = out.chunk(2, dim=-1)
            return F.silu(gate) * up
        if activation == "silu":
            return F.silu(out)
        return F.gelu(out) if activation == "gelu" else out

    def add(self, x: Tensor, linear: nn.Module, residual: Tensor, scale: Tensor | None = None) -> Tensor:
        """See `Ops`."""
        out: Tensor = linear(x)
        return residual + (out if scale is None else scale * out)

    def attend(
        self, qkv: Tensor, heads: Heads, cache: KVCache | RingCache, layer: int, place: Place
    ) -> Tensor:
        """See `Ops`."""
        q, k, v = heads.split(qkv)
        q, k = place.rotation.turn(q), place.rotation.turn(k)
        if isinstance(cache, RingCache):
            keys, values = cache.write(layer, place.positions, k, v)
        else:
            cache.write(layer, place.positions if place.index is None else place.index, k, v)
            keys, values = cache.read(layer, place.context)
        return grouped_attention(q, keys, values, place.mask)

    def finds_rows(self, heads: Heads, length: int) -> bool:
        """See `Ops`."""
        return False

    def sample(self, logits: Tensor, draw: Draw, out: Tensor) -> None:
        """See `Ops`."""
        sample(logits, draw, out)


class HasModules(Protocol):
    """A module, or what is one behind a Protocol."""

    def modules(self) -> Iterator[nn.Module]:
        """Return it and its parts."""


def use(ops: Ops, *models: HasModules) -> None:
    """Compute all layers of `models` with `ops`."""
    for model in models:
        for module in model.modules():
            if hasattr(module, "ops"):
                vars(module)["ops"] = ops
