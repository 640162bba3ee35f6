"""Writing a trained network in the on-disk format of the large checkpoints."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from torch import nn

__all__ = ["export_checkpoint"]


def export_checkpoint(
    model: nn.Module, config: dict[str, Any], folder: Path, dtype: torch.dtype = torch.float32
) -> None:
    """Write config.json and model.safetensors, which `moss_stream` loads."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.json").write_text(json.dumps(config, indent=2), encoding="utf-8")
    tensors = {
        name: tensor.detach().cpu().to(dtype).contiguous() for name, tensor in model.state_dict().items()
    }
    save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})
