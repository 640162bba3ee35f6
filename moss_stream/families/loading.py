"""From a folder to a network on a device."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import torch

from moss_stream.checkpoint.plan import Plan
from moss_stream.checkpoint.reader import Tensors, check, fill
from moss_stream.config import EngineOptions
from moss_stream.families.row_network import RowNetwork
from moss_stream.nn.int8 import quantize_linears
from moss_stream.nn.packing import pack_linears

__all__ = ["load_rows"]

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
        ConfigError: `options.depth_int8` does not work here.
    """
    tensors = Tensors(folder)
    check(plan, tensors, is_ignored)
    with torch.device("meta"):
        model = make()
    fill(model, plan, tensors, device, dtype)
    model.prepare(options.max_context)
    if options.depth_int8:
        for part in model.each_codebook():
            quantize_linears(part)
    if options.pack_weights:
        pack_linears(model)
    return model.eval()
