"""A plot of one stream: when text came, what was computed, and how much audio the listener had in hand."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from moss_stream.errors import MissingDependency
from moss_stream.metrics import Event

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["draw_trace"]

_ROWS = ("text", "segment", "prefill", "frame", "taken")


def draw_trace(events: Sequence[Event], path: str | Path) -> None:
    """Draw what happened to a stream (`SynthesisStream.events`) into a file; the suffix picks the format.

    Raises:
        MissingDependency: matplotlib is not installed.
    """
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise MissingDependency("Drawing a trace needs matplotlib", "plots") from error
    figure = Figure(figsize=(11, 6), layout="constrained")
    top, bottom = figure.subplots(2, 1, sharex=True, height_ratios=(3, 2))
    _draw_rows(top, events)
    _draw_lead(bottom, events)
    figure.savefig(path, dpi=120)


def _draw_rows(axes: Axes, events: Sequence[Event]) -> None:
    for row, kind in enumerate(reversed(_ROWS)):
        spans = [(event.start_s, event.end_s - event.start_s) for event in events if event.kind == kind]
        points = [start for start, length in spans if not length]
        axes.broken_barh([span for span in spans if span[1]], (row - 0.3, 0.6), color=f"C{row}")
        axes.plot(points, [row] * len(points), "|", color=f"C{row}", markersize=14)
    axes.set_yticks(range(len(_ROWS)), list(reversed(_ROWS)))
    axes.set_title("What happened")


def _draw_lead(axes: Axes, events: Sequence[Event]) -> None:
    """The lead falls by a second each second, and rises with every frame."""
    times, leads = [0.0], [0.0]
    for event in (event for event in events if event.kind == "frame"):
        dry_s = times[-1] + leads[-1]
        if dry_s < event.start_s:
            times.append(dry_s)
            leads.append(0.0)
        before = max(0.0, leads[-1] - (event.start_s - times[-1]))
        times += [event.start_s, event.start_s]
        leads += [before, event.value]
    axes.fill_between(times, leads, alpha=0.4)
    axes.plot(times, leads)
    axes.set_ylabel("audio in hand (s)")
    axes.set_xlabel("seconds from the start of the stream")
