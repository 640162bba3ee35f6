"""From a folder to MossTTSLocal v1.5 on a device."""

from __future__ import annotations

from pathlib import Path

import torch

from moss_stream.config import EngineOptions
from moss_stream.families.loading import load_rows
from moss_stream.families.local_v15.config import LocalV15Config
from moss_stream.families.local_v15.network import MossTTSLocalV15
from moss_stream.families.local_v15.weights import is_ignored, local_v15_weights
from moss_stream.hub import read_json

__all__ = ["load_local_v15"]


def load_local_v15(
    folder: Path, device: torch.device, dtype: torch.dtype, options: EngineOptions
) -> MossTTSLocalV15:
    """Load MossTTSLocal v1.5, ready to run.

    Raises:
        LoadError: See `moss_stream.errors`: not found, not supported, damaged, or with other weights.
        ConfigError: An option does not work here.
    """
    config = LocalV15Config.parse(read_json(folder, "config.json"), str(folder))
    plan = local_v15_weights(config)
    return load_rows(lambda: MossTTSLocalV15(config), plan, is_ignored, folder, device, dtype, options)
