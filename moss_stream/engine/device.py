"""Which device and number format to use."""

from __future__ import annotations

import torch

from moss_stream.engine.trial import measure
from moss_stream.errors import ConfigError
from moss_stream.quote import quoted

__all__ = ["choose_device", "choose_dtype", "choose_threads"]

SMALL_MODEL_BYTES = 64 << 20
"""Up to this size a model's matrices stay in the caches, and a second thread gains nothing."""

_DTYPES = {"bfloat16": torch.bfloat16, "float16": torch.float16, "float32": torch.float32}
_SHORT = {"bf16": "bfloat16", "fp16": "float16", "fp32": "float32"}


def choose_device(name: str) -> torch.device:
    """Return the device of that name; `"auto"` takes CUDA, then MPS, then the CPU.

    Raises:
        ConfigError: There is no such device here.
    """
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "mps" if torch.backends.mps.is_available() else "cpu"
    try:
        device = torch.device(name)
    except RuntimeError as error:
        raise ConfigError(
            f"device={quoted(name)} is not a device. Use auto, cuda, cuda:0, mps or cpu."
        ) from error
    there = {"cpu": True, "cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    if not there.get(device.type, False):
        raise ConfigError(
            f"device={quoted(name)} is not there: this PyTorch ({torch.__version__}) sees no such device. "
            "Use device='auto'."
        )
    if device.type == "cuda" and (device.index or 0) >= torch.cuda.device_count():
        raise ConfigError(
            f"device={quoted(name)} is not there: this machine has {torch.cuda.device_count()} CUDA "
            "device(s)."
        )
    return device


def choose_dtype(name: str, device: torch.device) -> torch.dtype:
    """Return the number format of the speech model's weights.

    `"auto"` takes bfloat16 where a GPU computes in it, otherwise float16 on CUDA; on the CPU it
    takes what was measured to be faster. The codec always runs in float32.

    Raises:
        ConfigError: The name is not one of auto, bfloat16, float16, float32.
    """
    if name == "auto":
        name = _auto_dtype(device)
    try:
        return _DTYPES[_SHORT.get(name, name)]
    except KeyError:
        raise ConfigError(f"dtype={quoted(name)} is not known. Use auto, {', '.join(_DTYPES)}.") from None


def _auto_dtype(device: torch.device) -> str:
    if device.type == "cuda":
        return "bfloat16" if torch.cuda.is_bf16_supported(including_emulation=False) else "float16"
    if device.type == "mps":
        return "bfloat16"
    return measure().best


def choose_threads(wanted: int | None, model_bytes: int) -> int:
    """Return how many CPU threads to compute with.

    A small model takes one: its operations are too short to share, and on a busy machine threads
    that wait for each other thousands of times a frame slow it down thirtyfold (see
    `benchmarks/NOTES.md`). Others take what PyTorch is set to.
    """
    if wanted is not None:
        return wanted
    return 1 if model_bytes <= SMALL_MODEL_BYTES else torch.get_num_threads()
