"""Which replicas a call of one replica to another may reach."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

__all__ = ["Target"]


@dataclass(frozen=True, slots=True)
class Target:
    """The first argument of a call between replicas.

    Attributes:
        only: The replica that is meant; None: any.
        but: The replica that is not meant.
        scope: Of the request that is handed on, if it is one.
    """

    only: str | None = None
    but: str | None = None
    scope: Mapping[str, Any] | None = None

    @property
    def speaks(self) -> bool:
        """Whether it takes a slot."""
        return self.scope is not None

    def allows(self, replica: str) -> bool:
        """Tell whether a replica is meant."""
        return replica != self.but and self.only in (None, replica)
