"""What loading a checkpoint in shards takes of the host's memory, against the size of its files.

    python -m benchmarks.loading [--shape delay-3gb] [--folder /tmp] [--shard-mb 1000]

Random weights in bfloat16 are written to a new folder, which is removed at the end, and loaded in a process
of its own each time: for another device (the meta device, which keeps nothing, stands for it), and for the
CPU, plain and with a backbone of 8 bits. Printed are the seconds and the peak of resident memory beyond what
Python and PyTorch take; pages of the files count while they are mapped.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path

from benchmarks.checkpoints import write_checkpoint
from benchmarks.shapes import SHAPES

LOAD = """
import resource, sys, time
from pathlib import Path
import torch
from moss_stream.config import EngineOptions
from moss_stream.families.family import find
def peak():
    with open("/proc/self/status") as lines:
        return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM"))
device, wants = torch.device(sys.argv[2]), eval(sys.argv[3])
torch.zeros(8, 8) @ torch.zeros(8, 8)
import moss_stream.families.delay.load
before, began_s = peak(), time.perf_counter()
network = find(Path(sys.argv[1])).network(device, torch.bfloat16, EngineOptions(pack_weights=False, **wants))
print(time.perf_counter() - began_s, peak() - before)
"""
WAYS = {
    "for another device": ("meta", {}),
    "for another device, backbone in 8 bits": ("meta", {"backbone_int8": True}),
    "on the CPU": ("cpu", {}),
    "on the CPU, backbone in 8 bits": ("cpu", {"backbone_int8": True}),
}


def main() -> None:
    """Parse the command line, write, load, print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--shape", choices=list(SHAPES), default="delay-3gb")
    parser.add_argument("--folder", type=Path, default=Path(tempfile.gettempdir()))
    parser.add_argument("--shard-mb", type=int, default=1000)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=args.folder) as folder:
        size = write_checkpoint(SHAPES[args.shape], Path(folder), shard_bytes=args.shard_mb * 1_000_000)
        shards = len(list(Path(folder).glob("*.safetensors")))
        print(f"{args.shape}: {size / 1e9:.2f} GB in {shards} files")
        for name, (device, wants) in WAYS.items():
            done = subprocess.run(
                [sys.executable, "-c", LOAD, folder, device, repr(wants)],
                check=True,
                capture_output=True,
                text=True,
            )
            seconds, peak = map(float, done.stdout.split())
            share = 100 * peak / size
            print(f"{name:40} {seconds:6.1f} s, at most {peak / 1e9:5.2f} GB: {share:3.0f} % of the files")


if __name__ == "__main__":
    main()
