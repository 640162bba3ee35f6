from __future__ import annotations

import pytest

from moss_stream.engine.lead import Lead


def test_without_a_sink_playback_is_assumed_to_be_in_real_time() -> None:
    """Audio is played from its arrival on; what comes late is played when it comes."""
    lead = Lead()
    assert lead.seconds(5.0) == 0.0 and lead.played_s is None
    lead.put(0.08, 5.0)
    lead.put(0.08, 5.01)
    assert lead.seconds(5.06) == pytest.approx(0.10)
    assert lead.seconds(5.26) == pytest.approx(-0.10), "it has waited for so long"
    lead.put(0.08, 5.26)
    assert lead.seconds(5.26) == pytest.approx(0.08)


def test_a_sink_says_what_was_really_played() -> None:
    """A player that has not begun, or was paused, still has everything in hand."""
    lead, position_s = Lead(), 0.0
    lead.attach(lambda: position_s)
    for _ in range(10):
        lead.put(0.08, 5.0)
    assert lead.seconds(9.0) == pytest.approx(0.8)
    position_s = 0.5
    assert lead.seconds(9.0) == pytest.approx(0.3) and lead.played_s == 0.5
    position_s = 0.8
    assert lead.seconds(9.0) == pytest.approx(5.8 - 9.0)


def test_what_a_sink_rounds_is_nothing_in_hand() -> None:
    """A listener who waits has waited, also where the sums of both sides differ in their last digits."""
    lead = Lead()
    lead.attach(lambda: 0.8 - 1e-12)
    for _ in range(10):
        lead.put(0.08, 5.0)
    assert lead.seconds(9.0) == pytest.approx(5.8 - 9.0)
