"""Timing and the memory bandwidth of a device."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable

import torch

from moss_stream.nn.packing import PackedLinear, why_plain


def synchronize(device: torch.device) -> None:
    """Wait until the device has done what it was given."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def times_ms(step: Callable[[], object], count: int, device: torch.device, warmup: int = 3) -> list[float]:
    """Return how long each of `count` calls of `step` took, in ms, after `warmup` calls."""
    samples = []
    for index in range(warmup + count):
        synchronize(device)
        began = time.perf_counter()
        step()
        synchronize(device)
        if index >= warmup:
            samples.append((time.perf_counter() - began) * 1000)
    return samples


def p50_p95(samples: list[float]) -> tuple[float, float]:
    """Return the median and the 95th percentile."""
    ordered = sorted(samples)
    return statistics.median(ordered), ordered[min(len(ordered) - 1, int(0.95 * len(ordered)))]


def bandwidth_gb_s(device: torch.device) -> float:
    """Measure how fast the device reads weights, in GB/s: the best of a copy and matrix-vector products.

    A copy counts what it reads and what it writes. The products run over 400 MB of matrices, far
    more than the caches hold.
    """
    return max(_copy_gb_s(device), _products_gb_s(device))


def _copy_gb_s(device: torch.device) -> float:
    source = torch.ones(100_000_000, dtype=torch.float32, device=device)
    target = torch.empty_like(source)
    return 2 * source.nbytes / statistics.median(times_ms(lambda: target.copy_(source), 9, device)) / 1e6


def _products_gb_s(device: torch.device) -> float:
    on_cpu = device.type == "cpu"
    # Half the bytes make no odds to a memory, but on a CPU only what is packed is read at its speed.
    dtype = torch.float32 if on_cpu and why_plain(torch.bfloat16) else torch.bfloat16
    matrices = [torch.nn.Linear(1024, 6144, bias=False, device=device, dtype=dtype) for _ in range(32)]
    size = sum(matrix.weight.nbytes for matrix in matrices)
    x = torch.ones(1, 1024, dtype=dtype, device=device)
    layers: list[torch.nn.Module] = list(matrices)
    if on_cpu and why_plain(dtype) is None:
        layers = [PackedLinear(matrix) for matrix in matrices]
    with torch.inference_mode():
        return size / statistics.median(times_ms(lambda: [layer(x) for layer in layers], 9, device)) / 1e6
