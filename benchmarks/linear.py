"""Compare plain and packed linear layers on the CPU: how fast each reads its weights, by batch size.

    python -m benchmarks.linear

32 matrices of 6144 x 1024, more than the caches hold; the best of 10 runs each, taken in turns.
"""

from __future__ import annotations

import torch
from torch import nn

from benchmarks.measure import times_ms
from moss_stream.nn.packing import PackedLinear, why_plain

CPU = torch.device("cpu")


def main() -> None:
    """Measure and print."""
    print(f"torch {torch.__version__}, {torch.get_num_threads()} threads; GB/s of weights")
    with torch.inference_mode():
        for dtype in (torch.float32, torch.bfloat16):
            if (reason := why_plain(dtype)) is not None:
                print(f"  {str(dtype):15} is not packed here: {reason}")
                continue
            plain = [nn.Linear(1024, 6144, bias=False, dtype=dtype) for _ in range(32)]
            packed = [PackedLinear(layer) for layer in plain]
            size = sum(layer.weight.nbytes for layer in plain)
            for batch in (1, 4, 16, 33):
                speeds = [
                    _gb_s(layers, torch.ones(batch, 1024, dtype=dtype), size) for layers in (plain, packed)
                ]
                print(f"  {str(dtype):15} batch {batch:2}: plain {speeds[0]:5.1f}, packed {speeds[1]:5.1f}")


def _gb_s(layers: list[nn.Linear] | list[PackedLinear], x: torch.Tensor, size: int) -> float:
    return size / min(times_ms(lambda: [layer(x) for layer in layers], 10, CPU)) / 1e6


if __name__ == "__main__":
    main()
