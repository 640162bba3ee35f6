"""The family, as a table."""

from __future__ import annotations

from rich.table import Table

from moss_stream.families.catalog import CATALOG

__all__ = ["family_table"]


def family_table() -> Table:
    """Return what can be downloaded, how large it is and what for."""
    table = Table(title="The family: weights in bfloat16, without the codec (v1: 7.1 GB)")
    table.add_column("repository", no_wrap=True)
    table.add_column("weights", no_wrap=True)
    table.add_column("for")
    for model in CATALOG:
        table.add_row(model.repository, f"{model.gigabytes:.1f} GB", model.purpose)
    return table
