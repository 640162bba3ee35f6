"""Which operations to compute with: our kernels, if they are right on this device."""

from __future__ import annotations

import logging
from collections.abc import Callable

import torch
from torch import Tensor, nn

from moss_stream.config import ChannelSampling
from moss_stream.nn.cache import KVCache, RingCache
from moss_stream.nn.int8 import Int8Linear
from moss_stream.nn.layers import Heads, RMSNorm, Rotation
from moss_stream.nn.ops import Ops, Place, TorchOps
from moss_stream.nn.sampling import Sampler

__all__ = ["choose_ops", "difference", "trials", "try_kernels"]

logger = logging.getLogger("moss_stream.engine")
MIN_CAPABILITY = (8, 0)
"""Before it there is no bfloat16."""
TOLERANCE = {torch.float32: 2e-3, torch.bfloat16: 3e-2, torch.float16: 1e-2}
"""Of the largest value. PyTorch's library may shorten float32, too."""
DIM, INNER, HEAD_DIM, VOCAB = 128, 192, 32, 65
"""Small enough to be tried in a second, and no multiple of the kernels' blocks: edges are tried, too."""


def choose_ops(device: torch.device, dtype: torch.dtype) -> Ops:
    """Return what to compute layers with.

    Kernels are taken on CUDA devices of capability 8.0 upwards, where Triton is installed (it comes with
    PyTorch), after they have computed in `dtype` what PyTorch computes. Otherwise it is PyTorch, and a
    warning says why.
    """
    if device.type != "cuda" or torch.cuda.get_device_capability(device) < MIN_CAPABILITY:
        return TorchOps()
    logger.info("Checking the kernels for this GPU. The first time they are compiled, which takes a while.")
    found = try_kernels(device, dtype)
    if not isinstance(found, str):
        return found
    logger.warning(
        "The kernels for this GPU are not used (%s): PyTorch computes instead, which is slower. Update the "
        "package triton to the version that this PyTorch asks for.",
        found,
    )
    return TorchOps()


def try_kernels(device: torch.device, dtype: torch.dtype) -> Ops | str:
    """Return our kernels if they compute on `device` what PyTorch computes, or what is wrong with them."""
    try:
        from moss_stream.kernels.ops import KernelOps

        ours = KernelOps()
        return difference(ours, device, dtype) or ours
    except Exception as error:  # whatever a compiler for this device may say
        return f"{type(error).__name__}: {str(error).partition(chr(10))[0] or 'no message'}"


def difference(ours: Ops, device: torch.device, dtype: torch.dtype) -> str | None:
    """Return where `ours` differs from PyTorch by more than rounding; None if nowhere."""
    found, wanted = trials(ours, device, dtype), trials(TorchOps(), device, dtype)
    for name, value in wanted.items():
        apart = (found[name].float() - value.float()).abs().max() / value.float().abs().max().clamp(min=1.0)
        # Values that are not numbers compare as false.
        if not apart <= TOLERANCE[dtype]:
            return f"{name} is off by {apart:.1g}"
    return None


@torch.inference_mode()
def trials(ops: Ops, device: torch.device, dtype: torch.dtype) -> dict[str, Tensor]:
    """Compute a little of everything that a model needs; the same for all `ops`."""
    made = torch.Generator().manual_seed(0)

    def random(*shape: int) -> Tensor:
        return torch.randn(shape, generator=made).to(device, dtype)

    found: dict[str, Tensor] = {}
    for rows in (1, 2, 4, 8, 16):
        found |= {f"{name} of {rows} rows": value for name, value in _products(ops, random, rows).items()}
        if rows <= 8:
            attended = _attention(ops, random, rows)
            found |= {f"{name} of {rows} rows": value for name, value in attended.items()}
    return found | _draws(ops, random)


Random = Callable[..., Tensor]


def _products(ops: Ops, random: Random, rows: int) -> dict[str, Tensor]:
    x, residual = random(rows, 1, DIM), random(rows, 1, DIM)
    wide, narrow = nn.Linear(DIM, 2 * INNER, bias=False), nn.Linear(DIM, DIM, bias=False)
    rms, layer, biased = RMSNorm(DIM), nn.LayerNorm(DIM), nn.Linear(DIM, DIM)
    for module in (wide, narrow, rms, layer, biased):
        _fill(module, random)
    return {
        "product": ops.project(x, narrow),
        "product behind an RMS norm": ops.project(x, narrow, rms),
        "gated product": ops.project(x, wide, rms, "gated"),
        "product with GELU": ops.project(x, wide, layer, "gelu"),
        "product with bias and SiLU": ops.project(x, biased, layer, "silu"),
        "product in 8 bits": ops.project(x, Int8Linear(wide), rms, "gated"),
        "sum in 8 bits": ops.add(x, Int8Linear(narrow), residual),
        "sum": ops.add(x, narrow, residual),
        "scaled sum": ops.add(x, narrow, residual, random(DIM)),
    }


def _fill(module: nn.Module, random: Random) -> None:
    for name, parameter in list(module.named_parameters()):
        size = parameter.shape[-1] ** -0.5 if parameter.ndim > 1 else 1.0
        setattr(module, name, nn.Parameter(random(*parameter.shape) * size, requires_grad=False))


def _attention(ops: Ops, random: Random, rows: int) -> dict[str, Tensor]:
    """Attend over a linear cache, and in a chunk of `rows` over a ring that has gone round."""
    keys, values = random(1, 2, 2, 48, HEAD_DIM), random(1, 2, 2, 48, HEAD_DIM)
    norms = RMSNorm(HEAD_DIM), RMSNorm(HEAD_DIM)
    for norm in norms:
        _fill(norm, random)
    angles = random(2, 1, 1, HEAD_DIM // 2)
    half = Rotation("half", *(torch.cat([part, part], -1) for part in (angles.cos(), angles.sin())))
    positions = torch.tensor([[7], [40]], device=keys.device)
    mask = (torch.arange(48, device=keys.device) <= positions[:, :, None])[:, None]
    grouped, single = Heads(4, 2, HEAD_DIM, *norms), Heads(2, 2, HEAD_DIM)
    place = Place(positions, 48, mask, half)
    linear = ops.attend(random(2, 1, 8 * HEAD_DIM), grouped, KVCache(keys, values), 0, place)
    offset = torch.tensor([100], device=keys.device)
    ring = RingCache(keys[:, :1, :, : 20 + rows - 1], values[:, :1, :, : 20 + rows - 1], offset, 20)
    at = ring.positions(rows)
    angles = random(1, rows, 1, HEAD_DIM // 2).float()
    turned = Place(at, ring.capacity, ring.mask(at), Rotation("interleaved", angles.cos(), angles.sin()))
    round_ = ops.attend(random(1, rows, 6 * HEAD_DIM), single, ring, 0, turned)
    return {"attention": linear, "attention over a ring": round_, "cache": torch.cat([keys, values])}


def _draws(ops: Ops, random: Random) -> dict[str, Tensor]:
    """Draw greedily and with a seed; unlikely to differ by rounding, since there are few values."""
    device = random(1).device
    sampler = Sampler(2, 1, VOCAB, device, VOCAB - 1, ops.sample)
    options = ChannelSampling(temperature=0.9, top_k=20, top_p=0.9, repetition_penalty=1.2)
    for slot, channel in enumerate((options, ChannelSampling(temperature=0.0))):
        sampler.configure(slot, [channel, channel], slot)
        sampler.remember(slot, torch.arange(9)[:, None])
    sampler.next_frame(torch.ones(2, dtype=torch.bool, device=device))
    logits = 3 * random(2, VOCAB)
    codes = sampler.code(0, logits.clone())
    return {"draw": torch.cat([codes, sampler.text(logits)]), "memory of draws": sampler.seen}
