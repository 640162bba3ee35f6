"""From a folder to MOSS-TTS-Realtime on a device."""

from __future__ import annotations

from pathlib import Path

import torch

from moss_stream.config import EngineOptions
from moss_stream.families.loading import load_rows
from moss_stream.families.realtime.config import RealtimeConfig
from moss_stream.families.realtime.network import MossTTSRealtime
from moss_stream.families.realtime.weights import is_ignored, realtime_weights
from moss_stream.hub import read_json

__all__ = ["load_realtime"]


def load_realtime(
    folder: Path, device: torch.device, dtype: torch.dtype, options: EngineOptions
) -> MossTTSRealtime:
    """Load MOSS-TTS-Realtime, ready to run.

    Raises:
        LoadError: See `moss_stream.errors`: not found, not supported, damaged, or with other weights.
        ConfigError: An option does not work here.
    """
    config = RealtimeConfig.parse(read_json(folder, "config.json"), str(folder))
    plan = realtime_weights(config)
    return load_rows(lambda: MossTTSRealtime(config), plan, is_ignored, folder, device, dtype, options)
