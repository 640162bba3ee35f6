"""Linear layers with weights of 8 bits: half of bfloat16's bytes to read, and an error to put up with."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from moss_stream.errors import ConfigError

__all__ = ["Int8Linear", "quantize_linears", "try_int8"]

MIN_NUMEL = 1 << 16
"""Smaller matrices are not what a frame waits for."""
LEVELS = 127
"""Of an int8, the same on both sides of zero."""
ROUNDED_AT_ONCE = 1 << 22
"""Elements, so that what rounding takes for a moment is 50 MB, however large the matrix."""
TRIAL_SIZE = 64
"""Rows and columns of the matrix that is tried: enough for any vector unit to work on whole vectors."""


class Int8Linear(nn.Module):
    """A linear layer; each row of its weight is rounded to 255 levels of its largest value.

    One on the meta device gets its weight later (see `take`), so that a large model is rounded matrix by
    matrix while it is loaded, and is never there in full.
    """

    def __init__(self, linear: nn.Linear) -> None:
        super().__init__()
        self.out_features = linear.out_features
        self.bias = linear.bias
        self.take(linear.weight.detach())

    def take(self, weight: Tensor) -> None:
        """Round a weight [out_features, in_features], and keep it where it is, for inputs of its dtype."""
        rounded = torch.empty_like(weight, dtype=torch.int8)
        scale = weight.new_empty(len(weight))
        rows = max(1, ROUNDED_AT_ONCE // weight.shape[1])
        for start in range(0, len(weight), rows):
            part = weight[start : start + rows].float()
            level = part.abs().amax(dim=1).clamp(min=1e-12) / LEVELS
            rounded[start : start + rows] = (part / level[:, None]).round_()
            scale[start : start + rows] = level
        self.weight, self.scale = nn.Parameter(rounded, requires_grad=False), scale

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
    """Replace the linear layers of `module`, but for small ones."""
    for parent in list(module.modules()):
        for name, child in list(parent.named_children()):
            if isinstance(child, nn.Linear) and child.weight.numel() >= MIN_NUMEL:
                setattr(parent, name, Int8Linear(child))


def try_int8(device: torch.device, dtype: torch.dtype, option: str) -> None:
    """Multiply with a small matrix, before gigabytes are read.

    Args:
        device: Of the weights.
        dtype: Of what they are multiplied with.
        option: That asks for it.

    Raises:
        ConfigError: PyTorch has no such product there.
    """
    with torch.inference_mode():
        trial = Int8Linear(nn.Linear(TRIAL_SIZE, TRIAL_SIZE, bias=False, device=device, dtype=dtype))
        try:
            trial(torch.zeros(1, TRIAL_SIZE, device=device, dtype=dtype))
        except (RuntimeError, NotImplementedError) as error:
            raise ConfigError(
                f"{option} does not work on {device} in {dtype} with PyTorch {torch.__version__} "
                f"({str(error).splitlines()[0]}). Leave it out."
            ) from error
