"""From a folder with safetensors files to the parameters of a module on a device."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor, nn

from moss_stream.checkpoint.plan import Plan, Weight
from moss_stream.errors import CorruptCheckpoint, ModelNotFound, WeightsMismatch
from moss_stream.hub import read_json

__all__ = ["OwnFormat", "Tensors", "check", "fill", "put"]

_SHARD = re.compile(r"[A-Za-z0-9][\w.-]{0,200}\.safetensors")


class Tensors:
    """The tensors of a folder: one safetensors file, or several with an index.

    Args:
        folder: Of the checkpoint.
        rename: Gives the name that a plan uses for a name on disk.

    Raises:
        LoadError: A file is missing or damaged.
    """

    def __init__(self, folder: Path, rename: Callable[[str], str] = str) -> None:
        self.folder = folder
        self._rename = rename
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
                self.shapes[self._rename(key)] = tuple(file.get_slice(key).get_shape())
                self._home[self._rename(key)] = path, key

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
        # The least and the largest value say it in one pass; a comparison of each would need its own memory.
        if not all(torch.isfinite(value) for value in torch.aminmax(tensor)):
            raise CorruptCheckpoint(
                f"{name} in {path} holds values that are not finite: the file is damaged. Download it again."
            )
        return tensor


def _shards(weight_map: object, index: Path) -> list[str]:
    """Return the files that an index names, all of them in its own folder."""
    names = list(weight_map.values()) if isinstance(weight_map, dict) else []
    if not names or not all(isinstance(name, str) and _SHARD.fullmatch(name) for name in names):
        raise CorruptCheckpoint(
            f"{index} is damaged: its weight_map must give a file in the same folder, such as "
            "model-00001-of-00002.safetensors, for each tensor. Download the checkpoint again."
        )
    return sorted(set(names))


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
                f"{self._path} is not an intact safetensors file ({error}). Download the checkpoint again."
            ) from error

    def __exit__(self, *details: object) -> None:
        self._file.__exit__(*details)


@runtime_checkable
class OwnFormat(Protocol):
    """A layer that keeps its weight in a format of its own."""

    def take(self, weight: Tensor) -> None:
        """Keep a weight."""


def put(module: nn.Module, name: str, value: Tensor) -> None:
    """Make a tensor the parameter `name` of a module."""
    path, _, leaf = name.rpartition(".")
    owner = module.get_submodule(path)
    if leaf == "weight" and isinstance(owner, OwnFormat):
        owner.take(value)
    else:
        setattr(owner, leaf, nn.Parameter(value, requires_grad=False))


def fill(module: nn.Module, plan: Plan, tensors: Tensors, device: torch.device, dtype: torch.dtype) -> None:
    """Replace the parameters of a module on the meta device, one at a time."""
    with torch.inference_mode():
        for name in [name for name, _ in module.named_parameters()]:
            put(module, name, _build(plan[name], tensors).to(device, dtype))


def _build(weight: Weight, tensors: Tensors) -> Tensor:
    return weight.combine([tensors.read(name, weight.rows) for name in weight.sources])


def check(plan: Plan, tensors: Tensors, is_ignored: Callable[[str], bool] = lambda name: False) -> None:
    """Hold a plan against the headers of the files, before a module is built: a config can claim any size.

    Args:
        plan: Of the module.
        tensors: On disk.
        is_ignored: Whether a tensor may be there although the plan has no use for it.

    Raises:
        WeightsMismatch: Tensors are missing, unknown or of another shape.
    """
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
