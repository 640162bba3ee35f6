from __future__ import annotations

import pytest
from fakes import FakeEngine
from virtual_time import Lab

from moss_stream.engine_metrics import Histogram

SENTENCE = "This is a sentence of average length. "


async def test_the_engine_counts_all_streams() -> None:
    """Active, queued, refused, ended, frames, batch size and times."""
    lab = Lab(FakeEngine(max_streams=2, frames_per_segment=10, refuse="bad"), max_queue=1)
    good = [lab.speak(SENTENCE) for _ in range(3)]
    await lab.tick()
    late = lab.speak(SENTENCE)
    await lab.tick()
    now = lab.loop.metrics()
    assert (now.active, now.queued, now.refused) == (2, 1, 1) and late.job.is_over
    await lab.run(9, lambda: all(listener.is_done for listener in good))
    lab.engine.frames_per_segment = 1000
    bad, cancelled = lab.speak("A bad one."), lab.speak(SENTENCE)
    await lab.run(0.2)
    cancelled.is_reading = False
    await lab.run(0.1)
    cancelled.job.channel.close()
    await lab.run(1)
    now = lab.loop.metrics()
    assert bad.job.is_over and now.active == now.queued == 0
    assert now.ended == {"done": 3, "failed": 1, "cancelled": 1}
    assert now.frames >= 33 and now.batch_size is not None and 1 < now.batch_size < 2
    assert sum(now.step_s.counts) == lab.engine.num_steps and sum(now.prefill_s.counts) == 4
    assert sum(now.ttfa_s.counts) >= 3 and now.wasted_frames > 0


def test_histograms_count_up_to_their_bounds() -> None:
    """A value at a bound belongs below it; what is larger than all has its own count."""
    histogram = Histogram((0.1, 0.2))
    for value in (0.05, 0.1, 0.15, 0.3):
        histogram.add(value)
    assert histogram.counts == [2, 1, 1] and histogram.total == pytest.approx(0.6)
