"""Many streams that begin at once: how soon each is heard, under a virtual clock."""

from __future__ import annotations

import math

import numpy as np
import pytest
from fakes import FakeEngine
from virtual_time import Lab

SENTENCE = "This is a sentence of average length. "
H100_FRAME_MS = {1: 11.0, 2: 12.8, 4: 13.7, 8: 14.9, 16: 16.5, 32: 17.0, 64: 20.9}
"""MOSS-TTS-Realtime, frames of some numbers of streams, as measured (benchmarks/NOTES.md)."""


async def test_streams_that_begin_together_share_their_first_frame() -> None:
    """Prompts of others are read before it, for no longer than the frame takes: here three at once."""
    lab = Lab(FakeEngine(max_streams=8, frames_per_segment=100), step_s=0.01, prefill_s=0.006)
    began_s = lab.now_s
    listeners = [lab.speak(SENTENCE) for _ in range(8)]
    await lab.run(2, lambda: bool(listeners[0].chunks))
    assert [bool(each.chunks) for each in listeners] == [True] * 3 + [False] * 5
    assert lab.now_s - began_s == pytest.approx(3 * 0.006 + 0.015)
    await lab.run(2, lambda: all(each.chunks for each in listeners))
    assert lab.engine.num_steps == 2


async def test_a_long_prompt_holds_nobodys_first_frame() -> None:
    """One that is read in many chunks is left as soon as somebody has waited for as long as a frame takes."""
    lab = Lab(FakeEngine(max_streams=2, frames_per_segment=100), step_s=0.01, prefill_s=0.003)
    first, began_s = lab.speak(SENTENCE), lab.now_s
    await lab.tick()
    lab.engine.prefill_chunks = 100
    lab.speak(SENTENCE)
    await lab.run(2, lambda: bool(first.chunks))
    assert lab.now_s - began_s < 0.003 + 0.01 + 0.01 + 0.003


async def begun_at_once(count: int, prefill_s: float) -> Lab:
    """Let streams begin in the same moment, on an engine as fast as an H100, and speak to their ends."""
    known = sorted(H100_FRAME_MS)
    frames_ms = np.interp(range(1, 65), known, [H100_FRAME_MS[streams] for streams in known])
    engine = FakeEngine(max_streams=64, frames_per_segment=40)
    lab = Lab(engine, max_queue=64, prefill_s=prefill_s, frames_s=(frames_ms / 1000).tolist())
    for _ in range(count):
        lab.speak(SENTENCE)
    await lab.run(30, lambda: all(each.is_done for each in lab.listeners))
    return lab


async def test_64_streams_that_begin_at_once_are_heard_soon() -> None:
    """With prompts of 3 ms: were each given a frame of its own, the mean would be 0.6 s. Nobody runs dry."""
    lab = await begun_at_once(64, prefill_s=0.003)
    heard_s = [each.job.meter.metrics().ttfa_s or math.inf for each in lab.listeners]
    assert np.mean(heard_s) < 0.25 and max(heard_s) < 0.4
    assert all(each.is_done and each.starved_s == 0 for each in lab.listeners)
