"""From a folder to MossTTSDelay on a device."""

from __future__ import annotations

from pathlib import Path

import torch

from moss_stream.config import EngineOptions
from moss_stream.families.delay.config import DelayConfig
from moss_stream.families.delay.network import MossTTSDelay
from moss_stream.families.delay.weights import delay_weights
from moss_stream.families.loading import load_rows
from moss_stream.hub import read_json

__all__ = ["is_ignored", "load_delay"]


def load_delay(
    folder: Path, device: torch.device, dtype: torch.dtype, options: EngineOptions
) -> MossTTSDelay:
    """Load MossTTSDelay, ready to run.

    Raises:
        LoadError: See `moss_stream.errors`: not found, not supported, damaged, or with other weights.
        ConfigError: An option does not work here.
    """
    config = DelayConfig.parse(read_json(folder, "config.json"), str(folder))
    plan = delay_weights(config)
    return load_rows(lambda: MossTTSDelay(config), plan, is_ignored, folder, device, dtype, options)


def is_ignored(name: str) -> bool:
    """Rotary tables are made anew."""
    return name.endswith("rotary_emb.inv_freq")
