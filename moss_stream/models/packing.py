"""Linear layers in oneDNN's own weight layout, for the CPU.

PyTorch hands a plain weight matrix to oneDNN or MKL on each call. Packed once, the same matrix is
read near memory speed: on two Zen 5 cores a matrix-vector product over 6144 x 1024 ran at
37 to 50 GB/s packed and 22 plain in float32, at 43 to 73 against 22 to 29 in bfloat16
(`python -m benchmarks.linear`). Small matrices stay in the CPU's cache and gain nothing.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

__all__ = ["PackedLinear", "pack_linears"]

MIN_NUMEL = 1 << 19
"""From this many elements on packing pays."""


class PackedLinear(nn.Module):
    """A linear layer whose weight only oneDNN can read."""

    def __init__(self, linear: nn.Linear) -> None:
        super().__init__()
        self.out_features = linear.out_features
        self.bias = linear.bias
        # The second argument is the batch the layout is tuned for; any other works too.
        self._packed = torch.ops.mkldnn._reorder_linear_weight(linear.weight.detach(), 1)

    def forward(self, x: Tensor) -> Tensor:
        """Apply the layer to `x` [..., in_features]."""
        out: Tensor = torch.ops.mkldnn._linear_pointwise(x, self._packed, self.bias, "none", [], "")
        return out


def pack_linears(module: nn.Module) -> None:
    """Replace the large linear layers of `module` on the CPU, one at a time, where oneDNN is there."""
    if not torch.backends.mkldnn.is_available() or not hasattr(torch.ops.mkldnn, "_linear_pointwise"):
        return
    for parent in list(module.modules()):
        for name, child in parent.named_children():
            if isinstance(child, nn.Linear) and _pays(child.weight):
                setattr(parent, name, PackedLinear(child))


def _pays(weight: Tensor) -> bool:
    on_cpu = weight.device.type == "cpu" and weight.dtype in (torch.float32, torch.bfloat16)
    return on_cpu and weight.numel() >= MIN_NUMEL
