from __future__ import annotations

from types import SimpleNamespace

import pytest

from moss_stream.cluster.scaling import IN_USE, BySlots


@pytest.mark.parametrize(
    ("used", "wanted"),
    [([], 1), ([0.0], 1), ([5.0], 1), ([5.6], 1), ([6.0], 2), ([8.0, 3.0], 2), ([8.0, 8.0], 3)],
)
def test_replicas_for_the_slots_in_use(used: list[float], wanted: int) -> None:
    """Eight slots each, of which 70 % are to be in use."""
    context = SimpleNamespace(aggregated_metrics={IN_USE: dict(enumerate(used))} if used else None)
    assert BySlots(8, 0.7)(context) == (wanted, {})
