"""Writing a trained network in the on-disk format of the large checkpoints."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from torch import Tensor, nn

__all__ = ["export_checkpoint", "write_shards"]

SHARD_BYTES = 15_000_000
"""The largest file of a packaged checkpoint stays under 16 MB."""


def export_checkpoint(
    model: nn.Module, config: dict[str, Any], folder: Path, without: str | None = None
) -> None:
    """Write config.json and model.safetensors in float32, which `moss_stream` loads.

    Args:
        model: What was trained.
        config: Of the model.
        folder: To write into.
        without: The name of a part that only the training needs.
    """
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.json").write_text(json.dumps(config, indent=2), encoding="utf-8")
    tensors = {
        name: tensor.detach().cpu().float().contiguous()
        for name, tensor in model.state_dict().items()
        if name.partition(".")[0] != without
    }
    save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})


def write_shards(tensors: Mapping[str, Tensor], folder: Path) -> None:
    """Write tensors in float16 as several safetensors files and their index.

    Raises:
        ValueError: A value does not fit into float16.
    """
    shards: list[dict[str, Tensor]] = [{}]
    for name, tensor in tensors.items():
        half = tensor.half().contiguous()
        if not torch.isfinite(half).all():
            raise ValueError(f"{name} has values that float16 cannot hold.")
        if shards[-1] and sum(t.nbytes for t in shards[-1].values()) + half.nbytes > SHARD_BYTES:
            shards.append({})
        shards[-1][name] = half
    names = [f"model-{i:05}-of-{len(shards):05}.safetensors" for i in range(1, len(shards) + 1)]
    for name, shard in zip(names, shards, strict=True):
        save_file(shard, folder / name, metadata={"format": "pt"})
    weight_map = {key: name for name, shard in zip(names, shards, strict=True) for key in shard}
    total = sum(t.nbytes for shard in shards for t in shard.values())
    index = {"metadata": {"total_size": total}, "weight_map": weight_map}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index, indent=0), encoding="utf-8")
