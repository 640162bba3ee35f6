"""From a folder with config.json and safetensors files to a module on a device."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor, nn

from moss_stream.config import EngineOptions
from moss_stream.errors import CorruptCheckpoint, ModelNotFound, WeightsMismatch
from moss_stream.hub import read_json
from moss_stream.models.cat import Cat
from moss_stream.models.cat_config import CatConfig
from moss_stream.models.config import LocalConfig
from moss_stream.models.int8 import quantize_linears
from moss_stream.models.local import MossTTSLocal, text_rows
from moss_stream.models.names import Plan, Weight, cat_weights, is_ignored, local_weights, modern_name
from moss_stream.models.packing import pack_linears

_SHARD = re.compile(r"[A-Za-z0-9][\w.-]{0,200}\.safetensors")

__all__ = ["load_cat", "load_local", "quantize_depth"]


def load_local(
    folder: Path, device: torch.device, dtype: torch.dtype, options: EngineOptions
) -> MossTTSLocal:
    """Load MossTTSLocal, ready to run.

    Raises:
        LoadError: See `moss_stream.errors`: not found, not supported, damaged, or with other weights.
        ConfigError: `options.depth_int8` does not work here.
    """
    config = LocalConfig.parse(read_json(folder, "config.json"), str(folder))
    tensors = _Tensors(folder)
    plan = local_weights(config, text_rows(config, options.text_head))
    _check(plan, tensors)  # before a module is built: sizes in a config can be anything
    with torch.device("meta"):
        model = MossTTSLocal(config, options.text_head)
    _fill(model, plan, tensors, device, dtype)
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


def load_cat(folder: Path, device: torch.device, options: EngineOptions) -> Cat:
    """Load the codec, ready to run, in float32: half precision costs it most of its fidelity.

    Raises:
        LoadError: See `moss_stream.errors`: not found, not supported, damaged, or with other weights.
    """
    config = CatConfig.parse(read_json(folder, "config.json"), str(folder))
    tensors, plan = _Tensors(folder), cat_weights(config)
    _check(plan, tensors)
    with torch.device("meta"):
        codec = Cat(config)
    _fill(codec, plan, tensors, device, torch.float32)
    codec.prepare()
    if options.pack_weights:
        pack_linears(codec)
    return codec.eval()


class _Tensors:
    """The tensors of a folder: one safetensors file, or several with an index."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        index = folder / "model.safetensors.index.json"
        if index.is_file():
            names = _shards(read_json(folder, index.name).get("weight_map"), index)
        else:
            names = ["model.safetensors"]
        self.shapes: dict[str, tuple[int, ...]] = {}
        self._home: dict[str, tuple[Path, str]] = {}
        for name in names:
            self._scan(folder / name)

    def _scan(self, path: Path) -> None:
        if not path.is_file():
            raise ModelNotFound(
                f"{self.folder} lacks the weights file {path.name}. Download the checkpoint again."
            )
        with _opened(path) as file:
            for key in file.keys():
                self.shapes[modern_name(key)] = tuple(file.get_slice(key).get_shape())
                self._home[modern_name(key)] = path, key

    def read(self, name: str, rows: tuple[int, ...] | None) -> Tensor:
        """Read one tensor, or some rows of it."""
        path, key = self._home[name]
        # Opened for each tensor: the pages of a mapping count as ours until it is closed.
        with _opened(path) as file:
            if rows is None:
                tensor: Tensor = file.get_tensor(key)
            else:
                part = file.get_slice(key)
                tensor = torch.cat([part[row : row + 1] for row in rows])
        if not torch.isfinite(tensor).all():
            raise CorruptCheckpoint(
                f"{name} in {path} holds values that are not finite: the file is damaged. Download it again."
            )
        return tensor


def _shards(weight_map: object, index: Path) -> list[str]:
    """Return the files that an index names, all of them in its own folder."""
    names = set(weight_map.values()) if isinstance(weight_map, dict) else {None}
    if not names or not all(isinstance(name, str) and _SHARD.fullmatch(name) for name in names):
        raise CorruptCheckpoint(
            f"{index} is damaged: its weight_map must give a file in the same folder, such as "
            "model-00001-of-00002.safetensors, for each tensor. Download the checkpoint again."
        )
    return sorted(str(name) for name in names)


class _opened:
    """safe_open, with its errors translated."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def __enter__(self) -> Any:
        try:
            self._file = safe_open(self._path, framework="pt", device="cpu")
            return self._file.__enter__()
        except (SafetensorError, OSError) as error:
            raise CorruptCheckpoint(
                f"{self._path} is no intact safetensors file ({error}). Download the checkpoint again."
            ) from error

    def __exit__(self, *details: object) -> None:
        self._file.__exit__(*details)


def _fill(module: nn.Module, plan: Plan, tensors: _Tensors, device: torch.device, dtype: torch.dtype) -> None:
    """Replace the parameters of a module on the meta device, one at a time."""
    with torch.inference_mode():
        for name in [name for name, _ in module.named_parameters()]:
            owner, _, leaf = name.rpartition(".")
            value = _build(plan[name], tensors).to(device, dtype)
            setattr(module.get_submodule(owner), leaf, nn.Parameter(value, requires_grad=False))


def _build(weight: Weight, tensors: _Tensors) -> Tensor:
    return weight.combine([tensors.read(name, weight.rows) for name in weight.sources])


def _check(plan: Plan, tensors: _Tensors) -> None:
    wanted: Mapping[str, tuple[int, ...]] = {
        n: s for weight in plan.values() for n, s in weight.sources.items()
    }
    found = tensors.shapes
    wrong = [
        f"{name}: {list(found[name])} instead of {list(shape)}"
        for name, shape in wanted.items()
        if name in found and found[name] != shape
    ]
    missing = wanted.keys() - found.keys()
    unexpected = [name for name in found.keys() - wanted.keys() if not is_ignored(name)]
    if missing or unexpected or wrong:
        raise WeightsMismatch(str(tensors.folder), missing, unexpected, wrong)
