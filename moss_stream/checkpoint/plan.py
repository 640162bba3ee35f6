"""A plan says which tensors of a checkpoint each parameter of a module is made of."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from torch import Tensor

__all__ = ["Plan", "Weight", "only"]

Shape = tuple[int, ...]


def only(tensors: list[Tensor]) -> Tensor:
    """Return the one tensor that there is."""
    return tensors[0]


@dataclass(frozen=True, slots=True)
class Weight:
    """The tensors one parameter is made of."""

    sources: Mapping[str, Shape]
    """Names on disk and the shapes they must have."""
    combine: Callable[[list[Tensor]], Tensor] = only
    rows: tuple[int, ...] | None = None
    """Read only these rows of the (one) source."""


Plan = dict[str, Weight]
