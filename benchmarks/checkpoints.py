"""Checkpoints on disk with random weights, of any size."""

from __future__ import annotations

import json
import math
from pathlib import Path

import torch
from safetensors.torch import save_file

from benchmarks.shapes import Shape, delay_config, local_config
from moss_stream.families.delay.weights import delay_weights
from moss_stream.families.local.weights import local_weights

__all__ = ["write_checkpoint"]


def write_checkpoint(
    shape: Shape, folder: Path, dtype: torch.dtype = torch.bfloat16, shard_bytes: int | None = None
) -> int:
    """Write a MossTTSLocal v1.0 or a MossTTSDelay into a folder, in shards with an index or in one file.

    No more than a shard is in memory at a time.

    Returns:
        The bytes of the files with weights.
    """
    if shape.family == "delay":
        delay = delay_config(shape)
        config, plan = delay.model_dump(), delay_weights(delay)
    else:
        local = local_config(shape)
        config, plan = local.model_dump(), local_weights(local, None)
    config["language_config"]["hidden_act"] = "silu"
    (folder / "config.json").write_text(json.dumps(config | {"model_type": "moss_tts_delay"}))
    shapes = {name: size for weight in plan.values() for name, size in weight.sources.items()}
    shards = _shards(shapes, dtype.itemsize, shard_bytes)
    home: dict[str, str] = {}
    for number, names in enumerate(shards, start=1):
        file = f"model-{number:05}-of-{len(shards):05}.safetensors" if shard_bytes else "model.safetensors"
        save_file(
            {name: torch.empty(shapes[name], dtype=dtype).normal_(std=0.02) for name in names}, folder / file
        )
        home |= dict.fromkeys(names, file)
    if shard_bytes:
        (folder / "model.safetensors.index.json").write_text(json.dumps({"weight_map": home}))
    return sum(file.stat().st_size for file in folder.glob("*.safetensors"))


def _shards(shapes: dict[str, tuple[int, ...]], item: int, most: int | None) -> list[list[str]]:
    """Divide tensors into files of at most `most` bytes, or of one tensor that is larger."""
    shards: list[list[str]] = [[]]
    used = 0
    for name, shape in shapes.items():
        size = item * math.prod(shape)
        if most and shards[-1] and used + size > most:
            shards.append([])
            used = 0
        shards[-1].append(name)
        used += size
    return shards
