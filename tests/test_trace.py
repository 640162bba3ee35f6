from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from fakes import FakeEngine
from virtual_time import Lab

from moss_stream import MissingDependency, SynthesisOptions
from moss_stream.trace import draw_trace


async def test_a_traced_stream_can_be_drawn(tmp_path: Path) -> None:
    """Every kind of event is noted, and the plot is a picture."""
    lab = Lab(FakeEngine(frames_per_segment=30))
    text = "This is a sentence of average length. " * 4
    listener = lab.speak(text, SynthesisOptions(trace=True))
    await lab.run(20, lambda: listener.is_done)
    listener.job.meter.taken(lab.now_s)
    events = listener.job.meter.events
    assert events is not None
    kinds = [event.kind for event in events]
    assert {kind: kinds.count(kind) for kind in ("text", "segment", "frame")} == {
        "text": 1,
        "segment": 2,
        "frame": 60,
    }
    assert sum(event.value for event in events if event.kind == "text") == len(text)
    await asyncio.to_thread(draw_trace, events, tmp_path / "out.png")
    assert (await asyncio.to_thread((tmp_path / "out.png").read_bytes)).startswith(b"\x89PNG")
    await asyncio.to_thread(draw_trace, [], tmp_path / "empty.svg")
    assert "<svg" in await asyncio.to_thread((tmp_path / "empty.svg").read_text)


def test_without_matplotlib_the_error_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    """The extra is named."""
    import sys

    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    with pytest.raises(MissingDependency, match=r"moss-stream\[plots\]"):
        draw_trace([], "out.png")
