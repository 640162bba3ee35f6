"""Figures of an evaluation: kept as JSON, shown as one table."""

from __future__ import annotations

import json
from pathlib import Path

from rich.console import Console
from rich.table import Table

__all__ = ["Results", "as_markdown", "merge", "show"]

Results = dict[str, dict[str, float | str]]
"""Section and figure to value."""


def merge(results: Results, file: Path) -> Results:
    """Put results into a JSON file, beside the sections that are there already; return all of them."""
    known: Results = json.loads(file.read_text(encoding="utf-8")) if file.is_file() else {}
    known.update(results)
    file.write_text(json.dumps(known, indent=2), encoding="utf-8")
    return known


def rows(results: Results) -> list[tuple[str, str, str]]:
    """Return section, figure and value, written for people."""
    return [
        (section, name, value if isinstance(value, str) else f"{value:.4g}")
        for section, figures in results.items()
        for name, value in figures.items()
    ]


def show(results: Results) -> None:
    """Print one table."""
    table = Table("what", "figure", "value")
    for row in rows(results):
        table.add_row(*row)
    Console().print(table)


def as_markdown(results: Results) -> str:
    """Return one table in Markdown."""
    lines = ["| what | figure | value |", "|---|---|---|"]
    return "\n".join([*lines, *(f"| {a} | {b} | {c} |" for a, b, c in rows(results))])
