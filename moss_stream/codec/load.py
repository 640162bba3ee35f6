"""From a folder to the Cat codec on a device."""

from __future__ import annotations

from pathlib import Path

import torch

from moss_stream.checkpoint.reader import Tensors, check, fill
from moss_stream.codec.cat import Cat
from moss_stream.codec.config import CatConfig
from moss_stream.codec.weights import cat_weights, modern_name
from moss_stream.config import EngineOptions
from moss_stream.hub import read_json
from moss_stream.nn.packing import pack_linears

__all__ = ["load_cat"]


def load_cat(folder: Path, device: torch.device, options: EngineOptions) -> Cat:
    """Load the codec, ready to run, in float32: half precision costs it most of its fidelity.

    Raises:
        LoadError: See `moss_stream.errors`: not found, not supported, damaged, or with other weights.
    """
    config = CatConfig.parse(read_json(folder, "config.json"), str(folder))
    tensors, plan = Tensors(folder, modern_name), cat_weights(config)
    check(plan, tensors, _is_ignored)
    with torch.device("meta"):
        codec = Cat(config)
    fill(codec, plan, tensors, device, torch.float32)
    codec.prepare()
    if options.pack_weights:
        pack_linears(codec)
    return codec.eval()


def _is_ignored(name: str) -> bool:
    return name.endswith("rotary_emb.inv_freq")
