from __future__ import annotations

import sys

import pytest
from fakes import FakeEngine
from prometheus_client import CollectorRegistry, generate_latest

from moss_stream import MissingDependency, StreamingSynthesizer
from moss_stream.prometheus import register


async def test_a_scrape_shows_the_figures(fake: tuple[StreamingSynthesizer, FakeEngine]) -> None:
    """What a Prometheus server reads is what the synthesizer counts, at that moment."""
    synth, _ = fake
    registry = CollectorRegistry()
    register(lambda: synth.metrics, registry)
    before = generate_latest(registry).decode()
    assert "moss_streams_active 0.0" in before and 'moss_step_seconds_bucket{le="+Inf"} 0.0' in before
    for _ in range(2):
        await synth.say("Hello there.")
    await synth.close()
    after = generate_latest(registry).decode()
    assert "moss_expected_rtf 0." in after
    assert "moss_frames_total" in after and 'moss_streams_ended_total{how="done"} 2.0' in after
    assert "moss_ttfa_seconds_count 2.0" in after and "moss_prefill_seconds_sum" in after


def test_without_the_library_the_error_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    """The extra is named."""
    monkeypatch.setitem(sys.modules, "prometheus_client", None)
    with pytest.raises(MissingDependency, match=r"moss-stream\[metrics\]"):
        register(lambda: None)  # type: ignore[arg-type, return-value]
