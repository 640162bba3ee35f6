"""From a folder to MOSS-TTS-Realtime on a device."""

from __future__ import annotations

from pathlib import Path

import torch

from moss_stream.checkpoint.reader import Tensors, check, fill
from moss_stream.config import EngineOptions
from moss_stream.families.realtime.config import RealtimeConfig
from moss_stream.families.realtime.network import MossTTSRealtime
from moss_stream.families.realtime.weights import is_ignored, realtime_weights
from moss_stream.hub import read_json
from moss_stream.nn.int8 import quantize_linears
from moss_stream.nn.packing import pack_linears

__all__ = ["load_realtime"]


def load_realtime(
    folder: Path, device: torch.device, dtype: torch.dtype, options: EngineOptions
) -> MossTTSRealtime:
    """Load MOSS-TTS-Realtime, ready to run.

    Raises:
        LoadError: See `moss_stream.errors`: not found, not supported, damaged, or with other weights.
        ConfigError: `options.depth_int8` does not work here.
    """
    config = RealtimeConfig.parse(read_json(folder, "config.json"), str(folder))
    tensors = Tensors(folder)
    plan = realtime_weights(config)
    check(plan, tensors, is_ignored)
    with torch.device("meta"):
        model = MossTTSRealtime(config)
    fill(model, plan, tensors, device, dtype)
    model.prepare(options.max_context)
    if options.depth_int8:  # what is read once for each codebook
        for part in (model.depth.layers, model.depth.heads):
            quantize_linears(part)
    if options.pack_weights:
        pack_linears(model)
    return model.eval()
