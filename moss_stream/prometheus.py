"""The figures of a synthesizer for a Prometheus server."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from moss_stream.engine_metrics import EngineMetrics, Histogram
from moss_stream.errors import MissingDependency

if TYPE_CHECKING:
    from prometheus_client import CollectorRegistry
    from prometheus_client.core import Metric

__all__ = ["register"]


class _Collector:
    """Asks for the figures when they are scraped."""

    def __init__(self, metrics: Callable[[], EngineMetrics]) -> None:
        self._metrics = metrics

    def collect(self) -> Iterator[Metric]:
        """Yield every figure, as prometheus-client asks for them."""
        from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily

        now = self._metrics()
        yield GaugeMetricFamily("moss_streams_active", "Streams that are spoken.", now.active)
        yield GaugeMetricFamily("moss_streams_queued", "Streams that wait for a slot.", now.queued)
        yield CounterMetricFamily("moss_streams_refused", "Streams that found the queue full.", now.refused)
        ended = CounterMetricFamily("moss_streams_ended", "Streams that are over, by how.", labels=["how"])
        for how, count in now.ended.items():
            ended.add_metric([how], count)
        yield ended
        yield CounterMetricFamily("moss_frames", "Frames of 80 ms, of all streams.", now.frames)
        yield CounterMetricFamily("moss_frames_wasted", "Frames that nobody took.", now.wasted_frames)
        yield CounterMetricFamily("moss_underruns", "Waits of a listener over 100 ms.", now.underruns)
        if now.expected_rtf is not None:
            yield GaugeMetricFamily(
                "moss_expected_rtf", "Seconds that a second of audio is expected to take.", now.expected_rtf
            )
        yield _histogram("moss_step_seconds", "One frame of all active streams.", now.step_s)
        yield _histogram("moss_prefill_seconds", "One chunk of a prompt.", now.prefill_s)
        yield _histogram("moss_ttfa_seconds", "From first text to first audible frame.", now.ttfa_s)


def register(metrics: Callable[[], EngineMetrics], registry: CollectorRegistry | None = None) -> None:
    """Add the figures of a synthesizer to a registry.

        register(lambda: synth.metrics)

    Args:
        metrics: Returns them.
        registry: Of prometheus-client; None takes its default one.

    Raises:
        MissingDependency: prometheus-client is not installed.
    """
    try:
        from prometheus_client import REGISTRY
    except ImportError as error:
        raise MissingDependency("Exporting metrics needs prometheus-client", "metrics") from error
    (registry or REGISTRY).register(_Collector(metrics))


def _histogram(name: str, text: str, values: Histogram) -> Metric:
    from prometheus_client.core import HistogramMetricFamily

    buckets, count = [], 0
    for bound, number in zip([*values.bounds, float("inf")], values.counts or [0], strict=False):
        count += number
        buckets.append(("+Inf" if bound == float("inf") else str(bound), float(count)))
    if not values.counts:
        buckets = [("+Inf", 0.0)]
    return HistogramMetricFamily(name, text, buckets=buckets, sum_value=values.total)
