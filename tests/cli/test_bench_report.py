from __future__ import annotations

import json
from pathlib import Path

from rich.console import Console

from moss_stream.cli.bench_report import plot, save, table
from moss_stream.cli.listeners import Load, Record, summary

RESULTS = [
    summary(Load(2), [Record(0, 0.2, 0.1, 5.0, 0.3, 0.0), Record(1, 0.4, 0.2, 5.0, 0.35, 0.16)]),
    summary(Load(1), [Record(0, None, None, 0.0, None, 0.0, "full", True)]),
]


def test_the_table_shows_every_run() -> None:
    """Times, shares and refusals stand in the row of their run; what is not known is a dash."""
    console = Console(width=160)
    with console.capture() as capture:
        console.print(table(RESULTS))
    text = capture.get()
    assert "all" in text and "400 / 400" in text and "50%" in text and "100%" in text and " - " in text


def test_figures_and_records_are_kept(tmp_path: Path) -> None:
    """The file holds every record, and a plot is drawn beside it."""
    save(RESULTS, {"machine": "this one"}, tmp_path / "bench.json")
    kept = json.loads((tmp_path / "bench.json").read_text())
    assert kept["about"] == {"machine": "this one"} and len(kept["runs"][0]["records"]) == 2
    plot(RESULTS, tmp_path / "bench.png")
    assert (tmp_path / "bench.png").read_bytes().startswith(b"\x89PNG")
