"""Where the time of a frame goes on a GPU, kernel by kernel.

    python -m benchmarks.where [--shape 1.7b] [--n-vq 32] [--streams 1] [--frames 5]

PyTorch's profiler reads the time of each kernel of a replayed frame. What the kernels leave of the frame's
time is the device waiting between them.
"""

from __future__ import annotations

import argparse
from collections import Counter

import torch
from torch._C._autograd import DeviceType
from torch.profiler import ProfilerActivity, profile

from benchmarks.frame import Bench
from benchmarks.measure import p50_p95, times_ms
from benchmarks.shapes import SHAPES
from moss_stream.config import EngineOptions
from moss_stream.engine.device import choose_dtype

MOST = 20
"""Kernels shown; the rest are summed."""


def kernel_times(bench: Bench, frames: int) -> tuple[Counter[str], Counter[str]]:
    """Return the microseconds and the launches of each kernel, by its name, over `frames` frames."""
    with profile(activities=[ProfilerActivity.CPU, ProfilerActivity.CUDA], acc_events=True) as profiled:
        for _ in range(frames):
            bench.frame()
        torch.cuda.synchronize()
    times: Counter[str] = Counter()
    launches: Counter[str] = Counter()
    for event in profiled.events():
        if event.device_type == DeviceType.CUDA:
            times[event.name] += event.device_time_total
            launches[event.name] += 1
    return times, launches


def table(times: Counter[str], launches: Counter[str], frames: int, frame_ms: float) -> str:
    """Return the figures of one frame as lines, the longest first."""
    lines = [f"{'ms':>8} {'launches':>9} {'us each':>8}  kernel"]
    shown = times.most_common(MOST)
    rest = sum(times.values()) - sum(us for _, us in shown)
    for name, us in shown:
        count = launches[name] / frames
        lines.append(f"{us / frames / 1000:8.2f} {count:9.0f} {us / launches[name]:8.1f}  {name[:80]}")
    lines.append(f"{rest / frames / 1000:8.2f} {'':18}  other kernels")
    busy_ms = sum(times.values()) / frames / 1000
    lines.append(f"{frame_ms - busy_ms:8.2f} {'':18}  between kernels, of {frame_ms:.2f} ms a frame")
    return "\n".join(lines)


@torch.inference_mode()
def main() -> None:
    """Parse the command line, measure, print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--shape", choices=list(SHAPES), default="1.7b")
    parser.add_argument("--n-vq", type=int)
    parser.add_argument("--streams", type=int, default=1)
    parser.add_argument("--frames", type=int, default=5)
    args = parser.parse_args()
    shape, device = SHAPES[args.shape], torch.device("cuda")
    n_vq = args.n_vq or shape.num_codebooks
    options = EngineOptions(max_streams=args.streams)
    bench = Bench(shape, device, choose_dtype("auto", device), n_vq, 300, options)
    for slot in bench.slots:
        bench.prefill(slot)
    frame_ms = p50_p95(times_ms(bench.frame, 20, device))[0]
    print(f"{torch.cuda.get_device_name(device)}: shape {args.shape}, K={n_vq}, {args.streams} streams")
    print(table(*kernel_times(bench, args.frames), args.frames, frame_ms))


if __name__ == "__main__":
    main()
