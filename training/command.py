"""The command line that the stages of the recipe share."""

from __future__ import annotations

import argparse
from pathlib import Path

__all__ = ["stage_parser"]


def stage_parser(description: str | None, is_training: bool = False) -> argparse.ArgumentParser:
    """Return a parser with the work folder and the settings; for a training also device and minutes."""
    parser = argparse.ArgumentParser(
        description=description, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("work", type=Path)
    parser.add_argument("--settings", type=Path, default=Path(__file__).with_name("voice.toml"))
    if is_training:
        parser.add_argument("--device", default="auto")
        parser.add_argument("--minutes", type=float, default=1e9)
    return parser
