"""From a folder to MossTTSDelay on a device."""

from __future__ import annotations

from pathlib import Path

import torch

from moss_stream.checkpoint.reader import Tensors, check, fill
from moss_stream.config import EngineOptions
from moss_stream.families.delay.config import DelayConfig
from moss_stream.families.delay.network import MossTTSDelay
from moss_stream.families.delay.weights import delay_weights
from moss_stream.hub import read_json
from moss_stream.nn.packing import pack_linears

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
    tensors, plan = Tensors(folder), delay_weights(config)
    check(plan, tensors, is_ignored)
    with torch.device("meta"):
        model = MossTTSDelay(config)
    fill(model, plan, tensors, device, dtype)
    model.prepare(options.max_context)
    if options.pack_weights:
        pack_linears(model)
    return model.eval()


def is_ignored(name: str) -> bool:
    """Rotary tables are made anew."""
    return name.endswith("rotary_emb.inv_freq")
