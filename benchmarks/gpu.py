"""Everything that is to be known of a GPU, one measurement after the other, each into a file of its own.

    python -m benchmarks.gpu [-o gpu-figures] [--shape 1.7b] [--only frame] [--list]

What fails does not stop the rest. The order is that of worth, tests first and load last: stopped half-way,
what was measured is there.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import time
from pathlib import Path

LIMIT_S = 600
GPU_TESTS = "tests/engine"
"""Where the tests are that need one; those of the server need packages that such a machine may not have."""


def commands(shape: str) -> dict[str, list[str]]:
    """Return what is run, by name."""
    frame = ["benchmarks.frame", "--shape", shape, "--n-vq"]
    delay = ["benchmarks.frame", "--shape", "delay-8b", "--n-vq"]
    return {
        "tests": ["pytest", "-q", "-m", "gpu", GPU_TESTS],
        "tests-of-kernels": ["pytest", "-q", "tests/kernels"],
        "frame-compared": [*frame, "32", "--compare"],
        "frame-8-codebooks": [*frame, "8"],
        "realtime": ["benchmarks.frame", "--shape", "realtime"],
        "realtime-32-streams": ["benchmarks.frame", "--shape", "realtime", "--streams", "32"],
        "frame-32-streams": [*frame, "32", "--streams", "32"],
        "frame-8-bits": [*frame, "32", "--depth-int8"],
        "delay": [*delay, "32"],
        "delay-8-bits": [*delay, "32", "--backbone-int8"],
        "delay-8-codebooks": [*delay, "8"],
        "delay-32-streams": [*delay, "32", "--streams", "32"],
        "delay-32-streams-8-bits": [*delay, "32", "--streams", "32", "--backbone-int8"],
        "frame-eager": [*frame, "32", "--eager"],
        "roofline": ["benchmarks.roofline", "--shape", shape, "-o", "roofline.png"],
        "roofline-delay": ["benchmarks.roofline", "--shape", "delay-8b", "-o", "roofline-delay.png"],
        "kernels": ["benchmarks.kernels", "--sweep"],
        "flat": ["benchmarks.flat", "--shape", shape],
        "frame-64-streams": [*frame, "32", "--streams", "64"],
        "frame-16-codebooks": [*frame, "16"],
        "load": ["benchmarks.load", "--shape", shape, "-o", "load.json"],
        "load-realtime": [
            *["benchmarks.load", "--shape", "realtime", "--streams", "1,8,16,32,64", "--n-vq", "16"],
            *["-o", "load-realtime.json"],
        ],
        "load-delay": [
            *["benchmarks.load", "--shape", "delay-8b", "--streams", "1,8,32", "--n-vq", "8,32"],
            *["-o", "load-delay.json"],
        ],
    }


def main() -> None:
    """Parse the command line, run, tell."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("-o", "--output", type=Path, default=Path("gpu-figures"))
    parser.add_argument("--shape", default="1.7b")
    parser.add_argument("--only", default="", help="what has this in its name")
    parser.add_argument("--list", action="store_true", help="only say what would be run")
    args = parser.parse_args()
    wanted = {name: each for name, each in commands(args.shape).items() if args.only in name}
    for name, (module, *options) in wanted.items():
        if args.list:
            print(f"{name:24} python -m {' '.join([module, *options])}")
            continue
        args.output.mkdir(parents=True, exist_ok=True)
        paths = [str(args.output / each) if each.endswith((".png", ".json")) else each for each in options]
        began_s = time.perf_counter()
        with (args.output / f"{name}.txt").open("w") as file:
            try:
                code = subprocess.run(
                    [sys.executable, "-m", module, *paths], stdout=file, stderr=file, timeout=LIMIT_S
                ).returncode
            except subprocess.TimeoutExpired:
                code = -1
        print(f"{name:20} {time.perf_counter() - began_s:6.1f} s, exit status {code}", flush=True)


if __name__ == "__main__":
    main()
