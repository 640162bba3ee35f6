"""From a folder to MossTTSLocal on a device."""

from __future__ import annotations

from pathlib import Path

import torch

from moss_stream.config import EngineOptions
from moss_stream.families.loading import load_rows
from moss_stream.families.local.config import LocalConfig
from moss_stream.families.local.network import MossTTSLocal, text_rows
from moss_stream.families.local.weights import local_weights
from moss_stream.hub import read_json

__all__ = ["is_ignored", "load_local"]


def load_local(
    folder: Path, device: torch.device, dtype: torch.dtype, options: EngineOptions
) -> MossTTSLocal:
    """Load MossTTSLocal, ready to run.

    Raises:
        LoadError: See `moss_stream.errors`: not found, not supported, damaged, or with other weights.
        ConfigError: An option does not work here.
    """
    config = LocalConfig.parse(read_json(folder, "config.json"), str(folder))
    plan = local_weights(config, text_rows(config, options.text_head))
    return load_rows(
        lambda: MossTTSLocal(config, options.text_head), plan, is_ignored, folder, device, dtype, options
    )


def is_ignored(name: str) -> bool:
    """The reference keeps an embedding table that its network does not read, and rotary tables."""
    return name == "model.language_model.embed_tokens.weight" or name.endswith("rotary_emb.inv_freq")
