from __future__ import annotations

import pytest
from fakes import FakeEngine
from virtual_time import PREFILL_S, STEP_S, Lab, give

from moss_stream import StreamingSynthesizer
from moss_stream.metrics import StreamMeter

SENTENCE = "This is a sentence of average length. "


async def test_the_moments_of_a_stream() -> None:
    """Text, segment, frame and audible frame come in this order, each when it happened."""
    lab = Lab(FakeEngine(frames_per_segment=10, frame_costs_s={1: STEP_S}))
    listener = lab.speak()
    await lab.run(0.1)
    give(listener.job, SENTENCE)
    listener.job.end()
    await lab.run(9, lambda: listener.is_done)
    made = listener.job.meter.metrics()
    assert made.first_text_s == pytest.approx(0.1, abs=0.02)
    assert made.first_text_s <= made.first_segment_s < made.first_frame_s == made.first_audible_s  # type: ignore[operator]
    assert made.ttfa_s == pytest.approx(PREFILL_S + STEP_S, abs=0.001)
    assert made.audio_s == pytest.approx(0.8) and made.gap_p50_s == pytest.approx(STEP_S)
    assert made.busy_s == pytest.approx(PREFILL_S + 11 * STEP_S)  # a step for the end
    assert made.rtf == pytest.approx(made.busy_s / 0.8)
    assert made.underruns == made.wasted_frames == 0


async def test_a_stream_that_could_not_keep_up() -> None:
    """Frames that come late are waits of the listener; over 100 ms they are underruns."""
    lab = Lab(FakeEngine(frames_per_segment=10), step_s=0.25)
    listener = lab.speak(SENTENCE)
    await lab.run(9, lambda: listener.is_done)
    made = listener.job.meter.metrics()
    assert made.underruns == 9 and made.longest_wait_s == pytest.approx(0.17)
    assert made.gap_max_s == pytest.approx(0.25) and made.rtf is not None and made.rtf > 3


def test_silence_at_the_beginning_is_not_audible() -> None:
    """The first audible frame is the first one that is not silent."""
    meter = StreamMeter(10.0)
    meter.text(10.0, 5)
    for number in range(4):
        meter.frame(10.5 + number / 10, 0.08, number >= 2, 0.0)
    made = meter.metrics()
    assert made.first_frame_s == 0.5 and made.first_audible_s == pytest.approx(0.7)
    assert made.ttfa_s == pytest.approx(0.7)
    empty = StreamMeter(10.0).metrics()
    assert empty.ttfa_s is None and empty.rtf is None and empty.gap_p95_s is None


async def test_a_stream_and_a_synthesizer_have_metrics(fake: tuple[StreamingSynthesizer, FakeEngine]) -> None:
    """They can be asked for at any time; what the consumer took is among them."""
    synth, _ = fake
    stream = synth.stream("Hello there.")
    assert stream.metrics is None
    async for _ in stream:
        pass
    made = stream.metrics
    assert made is not None and made.first_pcm_s is not None and made.audio_s == pytest.approx(0.24)
    assert synth.metrics.frames >= 3 and stream.events == []
