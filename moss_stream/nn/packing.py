"""Linear layers in oneDNN's own weight layout, for the CPU.

PyTorch hands a plain weight matrix to oneDNN or MKL on each call. Packed once, the same matrix is
read near memory speed: on two Zen 5 cores a matrix-vector product over 6144 x 1024 ran at
37 to 50 GB/s packed and 22 plain in float32, at 43 to 73 against 22 to 29 in bfloat16
(`python -m benchmarks.linear`). Small matrices stay in the CPU's cache and gain nothing.

oneDNN packs a dtype only on CPUs that have instructions for it: bfloat16 not on one with AVX2 alone.
So each dtype is tried before it is used, and what cannot be packed stays as it is.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator

import torch
import torch.nn.functional as F
from torch import Tensor, nn

__all__ = ["PackedLinear", "pack", "pack_linears", "product", "why_plain"]

MIN_NUMEL = 1 << 19
"""From this many elements on packing pays."""
TRIAL_SIZE = 64
"""Rows and columns of the matrix that is tried: enough for any vector unit to work on whole vectors."""
TOLERANCE = 2e-2
"""Largest error relative to the largest sum: bfloat16 rounds by 2**-9, a wrong layout is off by all of it."""

logger = logging.getLogger("moss_stream.nn")


class PackedLinear(nn.Module):
    """A linear layer whose weight only oneDNN can read."""

    def __init__(self, linear: nn.Linear) -> None:
        super().__init__()
        self.out_features = linear.out_features
        self.bias = linear.bias
        self._packed = pack(linear.weight.detach())

    def forward(self, x: Tensor) -> Tensor:
        """Apply the layer to `x` [..., in_features]."""
        return product(x, self._packed, self.bias)


def pack(weight: Tensor) -> Tensor:
    """Return a matrix [out, in] in oneDNN's layout, for `product` alone.

    Raises:
        RuntimeError: This CPU cannot; see `why_plain`.
    """
    # The second argument is the batch the layout is tuned for; any other works too.
    packed: Tensor = torch.ops.mkldnn._reorder_linear_weight(weight, 1)
    return packed


def product(x: Tensor, packed: Tensor, bias: Tensor | None = None) -> Tensor:
    """Return `x` [..., in] times a packed matrix: [..., out]."""
    out: Tensor = torch.ops.mkldnn._linear_pointwise(x, packed, bias, "none", [], "")
    return out


def pack_linears(module: nn.Module) -> None:
    """Replace the large linear layers of `module` on the CPU, one at a time, where this CPU can."""
    if not _has_onednn():
        return
    reasons: dict[torch.dtype, str | None] = {}
    for parent, name, layer in _large_linears(module):
        dtype = layer.weight.dtype
        if dtype not in reasons:
            reasons[dtype] = _try(dtype)
            _report(dtype, reasons[dtype])
        if reasons[dtype] is None:
            setattr(parent, name, PackedLinear(layer))


def why_plain(dtype: torch.dtype) -> str | None:
    """Return why this CPU cannot keep weights of `dtype` packed, in a few words; None if it can."""
    return _try(dtype) if _has_onednn() else "this PyTorch has no oneDNN"


def _has_onednn() -> bool:
    return torch.backends.mkldnn.is_available() and hasattr(torch.ops.mkldnn, "_linear_pointwise")


def _try(dtype: torch.dtype) -> str | None:
    """Pack a small matrix and compare its products, for one row and for several, with PyTorch's own."""
    # A generator of its own: the caller's random numbers stay the same.
    numbers = torch.Generator().manual_seed(0)
    weight, rows = (torch.randn(n, TRIAL_SIZE, generator=numbers).to(dtype) for n in (TRIAL_SIZE, 4))
    exact = F.linear(rows.float(), weight.float())
    try:
        packed = pack(weight)
        worst = max((product(rows[:n], packed) - exact[:n]).abs().max() for n in (1, 4))
    except (RuntimeError, NotImplementedError) as error:
        return str(error).splitlines()[0]
    return None if worst <= TOLERANCE * exact.abs().max() else "the packed product is wrong"


def _report(dtype: torch.dtype, reason: str | None) -> None:
    if reason is not None:
        name = str(dtype).removeprefix("torch.")
        logger.warning(
            "Weights in %s stay unpacked on this CPU, which can make frames slower (%s). "
            "`moss-stream doctor` shows which dtype suits it.",
            name,
            reason,
        )


def _large_linears(module: nn.Module) -> Iterator[tuple[nn.Module, str, nn.Linear]]:
    for parent in list(module.modules()):
        for name, child in list(parent.named_children()):
            if isinstance(child, nn.Linear) and _pays(child.weight):
                yield parent, name, child


def _pays(weight: Tensor) -> bool:
    return weight.device.type == "cpu" and weight.is_floating_point() and weight.numel() >= MIN_NUMEL
