"""The figures of a bench: a table, a file, a plot."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.table import Table

from moss_stream.errors import MissingDependency

__all__ = ["plot", "save", "table"]


def table(results: Sequence[Mapping[str, Any]]) -> Table:
    """Return the figures of some runs, one row each."""
    names = (
        "K",
        "streams",
        "refused",
        "TTFA from text, p50/p95/p99 ms",
        "from segment",
        "RTF",
        "C50",
        "C100",
        "C200",
        "memory, MB",
    )
    made = Table(*names)
    for result in results:
        shares = (result[f"c{ms}"] for ms in (50, 100, 200))
        made.add_row(
            _n_vq(result),
            str(result["streams"]),
            str(result["refused"] + result["failed"]),
            _times(result["ttfa_text_ms"]),
            _times(result["ttfa_segment_ms"]),
            "-" if result["rtf"] is None else f"{result['rtf']:.2f}",
            *("-" if share is None else f"{share:.0%}" for share in shares),
            f"{result['memory_mb']:.0f}" if "memory_mb" in result else "-",
        )
    return made


def save(results: Sequence[Mapping[str, Any]], about: Mapping[str, str], path: Path) -> None:
    """Write all figures and the records of every stream."""
    path.write_text(json.dumps({"about": dict(about), "runs": list(results)}, indent=1), encoding="utf-8")


def plot(results: Sequence[Mapping[str, Any]], path: Path) -> None:
    """Draw TTFA and the longest waits over the number of streams.

    Raises:
        MissingDependency: matplotlib is not installed.
    """
    try:
        from matplotlib.figure import Figure
        from matplotlib.lines import Line2D
    except ImportError as error:
        raise MissingDependency("Drawing a bench needs matplotlib", "plots") from error
    figure = Figure(figsize=(10, 4), layout="constrained")
    left, right = figure.subplots(1, 2)
    counts = list(dict.fromkeys(_n_vq(result) for result in results))
    for axes, name, title in (
        (left, "ttfa_text_s", "first text to first audible frame (ms)"),
        (right, "longest_wait_s", "longest wait of each listener (ms)"),
    ):
        for result in results:
            values = [record[name] * 1000 for record in result["records"] if record[name] is not None]
            color = f"C{counts.index(_n_vq(result))}"
            axes.plot([result["streams"]] * len(values), values, "o", alpha=0.5, color=color)
        axes.set_title(title)
        axes.set_xlabel("streams")
        axes.set_ylim(bottom=0)
    right.axhline(100, linestyle=":", color="grey")
    handles = [Line2D([], [], marker="o", ls="", color=f"C{i}") for i in range(len(counts))]
    figure.legend(handles, [f"K = {n_vq}" for n_vq in counts], loc="outside lower center", ncols=len(counts))
    figure.savefig(path, dpi=120)


def _n_vq(result: Mapping[str, Any]) -> str:
    return str(result["load"]["options"].get("n_vq", "all"))


def _times(values: Mapping[str, float] | None) -> str:
    return "-" if values is None else " / ".join(f"{values[name]:.0f}" for name in ("p50", "p95", "p99"))
