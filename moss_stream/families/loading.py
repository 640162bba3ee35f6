"""From a folder to a network on a device."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import torch

from moss_stream.checkpoint.plan import Plan
from moss_stream.checkpoint.reader import Tensors, check, fill
from moss_stream.config import EngineOptions
from moss_stream.errors import ConfigError
from moss_stream.families.row_network import RowNetwork
from moss_stream.nn.int8 import quantize_linears, try_int8
from moss_stream.nn.packing import pack_linears

__all__ = ["load_rows", "quantize"]

N = TypeVar("N", bound=RowNetwork)


def load_rows(
    make: Callable[[], N],
    plan: Plan,
    is_ignored: Callable[[str], bool],
    folder: Path,
    device: torch.device,
    dtype: torch.dtype,
    options: EngineOptions,
) -> N:
    """Load a network, ready to run.

    Args:
        make: Builds its modules.
        plan: Where their parameters come from.
        is_ignored: Whether a tensor may be there although the plan has no use for it.
        folder: Of the checkpoint.
        device: Where it runs.
        dtype: What it computes in.
        options: How it runs.

    Raises:
        LoadError: See `moss_stream.errors`: files are missing or damaged, or hold other weights.
        ConfigError: `options.depth_int8` or `options.backbone_int8` does not work here.
    """
    tensors = Tensors(folder)
    check(plan, tensors, is_ignored)
    with torch.device("meta"):
        model = make()
    quantize(model, device, dtype, options)
    fill(model, plan, tensors, device, dtype)
    model.prepare(options.max_context)
    quantize(model, device, dtype, options)  # heads that are tied to embeddings are made by `prepare`
    if options.pack_weights:
        pack_linears(model)
    return model.eval()


def quantize(model: RowNetwork, device: torch.device, dtype: torch.dtype, options: EngineOptions) -> None:
    """Replace the linear layers that are to be kept in 8 bits; those on the meta device are filled later.

    Raises:
        ConfigError: `options` ask for what does not work here.
    """
    if options.backbone_int8:
        try_int8(device, dtype, "backbone_int8")
        quantize_linears(model.backbone)
    if options.depth_int8:
        parts = model.each_codebook()
        if not parts:
            raise ConfigError(
                "depth_int8=True: this model has no depth transformer. Leave it out; backbone_int8=True is "
                "for what it reads in each row."
            )
        try_int8(device, dtype, "depth_int8")
        for part in parts:
            quantize_linears(part)
