"""How many replicas there should be, from the slots that are in use."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

__all__ = ["BySlots"]

IN_USE = "slots_in_use"
"""What replicas report: streams that are spoken and streams that wait."""


class BySlots:
    """An autoscaling policy of Ray Serve: it waits, and keeps within bounds, by itself.

    Args:
        slots: Of one replica.
        target_use: Share of all slots that is to be in use.
    """

    def __init__(self, slots: int, target_use: float) -> None:
        self._wanted = slots * target_use

    def __call__(self, ctx: Any) -> tuple[int, dict[str, Any]]:
        """Return the number of replicas, and nothing to be remembered."""
        used: Mapping[Any, float] = (ctx.aggregated_metrics or {}).get(IN_USE, {})
        # A third of a stream is left out: sums of floats must not ask for a replica more.
        wanted = math.ceil((sum(used.values()) - 1 / 3) / self._wanted)
        return max(1, wanted), {}
