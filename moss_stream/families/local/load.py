"""From a folder to MossTTSLocal on a device."""

from __future__ import annotations

from pathlib import Path

import torch

from moss_stream.checkpoint.reader import Tensors, check, fill
from moss_stream.config import EngineOptions
from moss_stream.families.local.config import LocalConfig
from moss_stream.families.local.network import MossTTSLocal, text_rows
from moss_stream.families.local.weights import local_weights
from moss_stream.hub import read_json
from moss_stream.nn.int8 import quantize_linears
from moss_stream.nn.packing import pack_linears

__all__ = ["is_ignored", "load_local", "quantize_depth"]


def load_local(
    folder: Path, device: torch.device, dtype: torch.dtype, options: EngineOptions
) -> MossTTSLocal:
    """Load MossTTSLocal, ready to run.

    Raises:
        LoadError: See `moss_stream.errors`: not found, not supported, damaged, or with other weights.
        ConfigError: `options.depth_int8` does not work here.
    """
    config = LocalConfig.parse(read_json(folder, "config.json"), str(folder))
    tensors = Tensors(folder)
    plan = local_weights(config, text_rows(config, options.text_head))
    check(plan, tensors, is_ignored)
    with torch.device("meta"):
        model = MossTTSLocal(config, options.text_head)
    fill(model, plan, tensors, device, dtype)
    model.prepare(options.max_context)
    if options.depth_int8:
        quantize_depth(model)
    if options.pack_weights:
        pack_linears(model)
    return model.eval()


def quantize_depth(model: MossTTSLocal) -> None:
    """Round what is read once for each codebook to 8 bits; the input MLP is a table by now."""
    for part in (model.depth.layers, model.depth.out_mlps, model.depth.heads):
        quantize_linears(part)


def is_ignored(name: str) -> bool:
    """The reference keeps an embedding table that its network does not read, and rotary tables."""
    return name == "model.language_model.embed_tokens.weight" or name.endswith("rotary_emb.inv_freq")
