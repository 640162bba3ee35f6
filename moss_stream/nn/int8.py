"""Linear layers with weights of 8 bits: half of bfloat16's bytes to read, and an error to put up with."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from moss_stream.errors import ConfigError

__all__ = ["Int8Linear", "quantize_linears"]

MIN_NUMEL = 1 << 16
"""Smaller matrices are not what a frame waits for."""
LEVELS = 127
"""Of an int8, the same on both sides of zero."""


class Int8Linear(nn.Module):
    """A linear layer; each row of its weight is rounded to 255 levels of its largest value."""

    def __init__(self, linear: nn.Linear) -> None:
        super().__init__()
        weight = linear.weight.detach().float()
        scale = weight.abs().amax(dim=1).clamp(min=1e-12) / LEVELS
        self.out_features = linear.out_features
        self.weight = (weight / scale[:, None]).round().to(torch.int8)
        self.scale = scale.to(linear.weight.dtype)
        self.bias = linear.bias

    def forward(self, x: Tensor) -> Tensor:
        """Apply the layer to `x` [..., in_features]."""
        if x.device.type != "cpu":
            # For many rows, which no kernel of ours takes: right everywhere, but with more to read.
            out: Tensor = F.linear(x, self.weight.to(x.dtype)) * self.scale
        else:
            product = torch._weight_int8pack_mm(x.flatten(0, -2), self.weight, self.scale)
            out = product.view(*x.shape[:-1], self.out_features)
        return out if self.bias is None else out + self.bias


def quantize_linears(module: nn.Module) -> None:
    """Replace the linear layers of `module`, but for small ones.

    Raises:
        ConfigError: PyTorch has no such product for the dtype.
    """
    for parent in list(module.modules()):
        for name, child in parent.named_children():
            if isinstance(child, nn.Linear) and child.weight.numel() >= MIN_NUMEL:
                quantized = Int8Linear(child)
                _check(quantized, child.weight)
                setattr(parent, name, quantized)


def _check(quantized: Int8Linear, weight: Tensor) -> None:
    try:
        quantized(weight.new_zeros(1, weight.shape[1]))
    except (RuntimeError, NotImplementedError) as error:
        raise ConfigError(
            f"depth_int8 does not work on {weight.device} in {weight.dtype} with PyTorch {torch.__version__} "
            f"({str(error).splitlines()[0]}). Leave it out."
        ) from error
