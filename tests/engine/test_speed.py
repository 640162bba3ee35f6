from __future__ import annotations

import pytest

from moss_stream.engine.scheduler import Costs
from moss_stream.engine.speed import Speed


def test_the_expectation_is_that_of_the_streams_that_are_spoken(caplog: pytest.LogCaptureFixture) -> None:
    """Of one, if there is none; in real time nothing is warned of, and later once."""
    speed = Speed(Costs({1: 0.04, 4: 0.1}))
    for active, wanted in ((0, 0.5), (1, 0.5), (4, 1.25), (4, 1.25), (1, 0.5), (4, 1.25)):
        assert not caplog.records or wanted > 1 or len(caplog.records) == 1
        speed.update(active)
        assert speed.expected_rtf == pytest.approx(wanted)
    (warning,) = caplog.messages
    assert all(way in warning for way in ("1.25 s", "n_vq", "--device", "embedded voice"))


def test_an_engine_that_was_not_measured() -> None:
    """Nothing is known, and nothing is claimed."""
    speed = Speed(Costs())
    speed.update(1)
    assert speed.expected_rtf is None
