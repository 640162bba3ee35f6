"""Our kernels against PyTorch's library, on the matrices of the 1.7B model: GB/s of weights, best cut.

    python -m benchmarks.kernels [--rows 1 4] [--sweep] [--device cuda]

Each product is timed as in a frame: recorded as a CUDA graph, over so many copies of its weights that no
cache holds them. `--sweep` tries other cuts than `blocks_for` chooses, and prints the best. Then attention
and the sampler, in microseconds, against the operations of PyTorch that they replace. On a CPU nothing is
measured: it only shows that the script runs (set TRITON_INTERPRET=1).
"""

from __future__ import annotations

import argparse
import itertools
import time
from collections.abc import Callable, Sequence
from functools import partial

import torch
from torch import Tensor, nn

from benchmarks.measure import bandwidth_gb_s
from moss_stream.config import SamplingOptions
from moss_stream.kernels.ops import KernelOps
from moss_stream.kernels.project import Blocks, Product, blocks_for, project
from moss_stream.nn.cache import KVCache
from moss_stream.nn.layers import Heads, RMSNorm, Rotation
from moss_stream.nn.ops import Activation, Ops, Place, TorchOps
from moss_stream.nn.qwen3 import causal_mask
from moss_stream.nn.sampling import Sampler

# Name, inputs, outputs, activation; the norm before is part of the work where the model has one.
MATRICES: list[tuple[str, int, int, Activation]] = [
    ("backbone qkv", 2048, 4096, "none"),
    ("backbone gate/up", 2048, 6144, "gated"),
    ("backbone down", 6144, 2048, "none"),
    ("depth qkv", 1536, 4096, "none"),
    ("depth o", 2048, 1536, "none"),
    ("depth gate/up", 1536, 8960, "gated"),
    ("depth down", 8960, 1536, "none"),
    ("head", 2048, 1025, "none"),
]
SPREAD_BYTES = 400_000_000
CUTS = [
    Blocks(columns, inputs, warps, stages)
    for columns, inputs, warps, stages in itertools.product((1, 4, 8), (256, 512, 1024), (4, 8), (1, 3))
]


def seconds(calls: Sequence[Callable[[], object]], device: torch.device, runs: int = 20) -> float:
    """Return how long a call takes, on average over all of them, recorded as one graph."""
    for call in calls:
        call()
    if device.type != "cuda":
        began_s = time.perf_counter()
        calls[0]()
        return time.perf_counter() - began_s
    graph = torch.cuda.CUDAGraph()
    torch.cuda.synchronize()
    with torch.cuda.graph(graph):
        for call in calls:
            call()
    start, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
    graph.replay()
    start.record()
    for _ in range(runs):
        graph.replay()
    end.record()
    torch.cuda.synchronize()
    return float(start.elapsed_time(end)) / 1000 / runs / len(calls)


def products(rows: int, device: torch.device, scale: int, is_swept: bool) -> None:
    """Print a line for each matrix."""
    for name, inputs, outputs, activation in MATRICES:
        k, n = inputs // scale, outputs // scale * (2 if activation == "gated" else 1)
        size = 2 * k * n
        copies = max(1, SPREAD_BYTES // size) if device.type == "cuda" else 1
        weights = [torch.randn(n, k, device=device).bfloat16() for _ in range(copies)]
        norm = RMSNorm(k).to(device, torch.bfloat16)
        norm.weight = nn.Parameter(torch.ones_like(norm.weight), requires_grad=False)
        x = torch.randn(rows, 1, k, device=device).bfloat16()
        linears = [_linear(weight) for weight in weights]
        plain = TorchOps()
        theirs = seconds([partial(plain.project, x, each, norm, activation) for each in linears], device)
        made = [Product(each, None, "rms", norm.weight, None, norm.eps, activation) for each in weights]
        default = blocks_for(rows, activation == "gated")
        found = {cut: _timed(x, made, cut, device) for cut in [default, *(CUTS if is_swept else [])]}
        best = min(found, key=lambda cut: found[cut])
        speeds = [size / taken_s / 1e9 for taken_s in (theirs, found[default], found[best])]
        print(f"{name:17} {rows} rows: PyTorch {speeds[0]:5.0f}, ours {speeds[1]:5.0f} GB/s")
        if is_swept:
            print(f"{'':17} best {speeds[2]:.0f} GB/s: {best}")


def _linear(weight: Tensor) -> nn.Linear:
    with torch.device("meta"):
        made = nn.Linear(weight.shape[1], weight.shape[0], bias=False)
    made.weight = nn.Parameter(weight, requires_grad=False)
    return made


def _timed(x: Tensor, made: Sequence[Product], cut: Blocks, device: torch.device) -> float:
    try:
        return seconds([partial(project, x, each, blocks=cut) for each in made], device)
    except Exception:  # a cut that does not fit this GPU
        return float("inf")


def attention(rows: int, used: int, device: torch.device, ops: Ops) -> float:
    """Return the seconds of one row of each of `rows` sequences that attend over `used` rows."""
    norms = [RMSNorm(128).to(device, torch.bfloat16) for _ in range(2)]
    for norm in norms:
        norm.weight = nn.Parameter(torch.ones_like(norm.weight), requires_grad=False)
    heads = Heads(16, 8, 128, *norms)
    cache = KVCache.zeros(8, rows, 8, 4097, 128, device=device, dtype=torch.bfloat16)
    at = torch.full((rows, 1), used - 1, device=device)
    table = torch.ones(rows, 1, 1, 128, device=device).bfloat16()
    context = -(-used // 256) * 256
    place = Place(at, context, causal_mask(at, context), Rotation("half", table, table))
    qkv = torch.randn(rows, 1, 32 * 128, device=device).bfloat16()
    return seconds([partial(ops.attend, qkv, heads, cache, layer, place) for layer in range(8)], device)


def sampling(rows: int, device: torch.device, ops: Ops) -> float:
    """Return the seconds of one draw for each of `rows` sequences."""
    sampler = Sampler(rows, 32, 1025, device, 1024, ops.sample)
    for slot in range(rows):
        sampler.configure(slot, SamplingOptions().channels(32), slot)
    sampler.next_frame(torch.ones(rows, dtype=torch.bool, device=device))
    logits = torch.randn(rows, 1025, device=device).bfloat16()
    return seconds([partial(sampler.code, codebook, logits) for codebook in range(32)], device)


@torch.inference_mode()
def main() -> None:
    """Parse the command line, measure, print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rows", type=int, nargs="+", default=[1, 4])
    parser.add_argument("--sweep", action="store_true")
    parser.add_argument("--device", default="cuda")
    args = parser.parse_args()
    device = torch.device(args.device)
    scale = 1 if device.type == "cuda" else 64
    if device.type == "cuda":
        print(f"{torch.cuda.get_device_name(device)}: {bandwidth_gb_s(device):.0f} GB/s measured")
    for rows in args.rows:
        products(rows, device, scale, args.sweep)
        for used in (300, 2000) if device.type == "cuda" else (40,):
            plain, ours = (1e6 * attention(rows, used, device, ops) for ops in (TorchOps(), KernelOps()))
            print(f"attention over {used} rows, {rows} rows: PyTorch {plain:.1f}, ours {ours:.1f} us")
        plain, ours = (1e6 * sampling(rows, device, ops) for ops in (TorchOps(), KernelOps()))
        print(f"a draw, {rows} rows: PyTorch {plain:.1f}, ours {ours:.1f} us")


if __name__ == "__main__":
    main()
