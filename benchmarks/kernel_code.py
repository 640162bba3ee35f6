"""What a frame launches, and what its kernels become for a GPU. Needs no GPU.

    python -m benchmarks.kernel_code [--shape 1.7b] [--streams 1] [--n-vq 32] [--backbone-int8]
                                     [--capability 80 90 100]

A model of the shape runs one frame on PyTorch's meta device, which computes nothing: so all operations and
all launches of our kernels are counted. Each kernel is then compiled for the given compute capabilities, for
the arguments that it was launched with. Spilled bytes are what does not fit into a thread's registers.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
import triton
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from triton.backends.compiler import GPUTarget
from triton.compiler import ASTSource

from benchmarks.shapes import SHAPES, Shape, cat_config, random_cat, random_network
from moss_stream.config import EngineOptions
from moss_stream.engine.delayed import aligner_for
from moss_stream.engine.generator import FrameGenerator
from moss_stream.engine.vocoder import Vocoder
from moss_stream.kernels import attend, project, rows, sample
from moss_stream.kernels.ops import KernelOps
from moss_stream.nn.ops import Ops, TorchOps, use

META = torch.device("meta")
KERNELS = [(project, "_project"), (attend, "_attend"), (attend, "_join"), (sample, "_sample")]
KERNELS += [(rows, "_normalise"), (rows, "_gate")]
POINTERS = {
    torch.bfloat16: "*bf16",
    torch.float32: "*fp32",
    torch.int8: "*i8",
    torch.int64: "*i64",
    torch.uint8: "*u8",
}
NOTHING = {"_unsafe_view", "empty", "empty_like", "new_empty", "lift_fresh"}
"""Operations that compute nothing, beside those whose results are views."""

SPARE_BYTES = 16
"""Of a thread: four values that do not fit stay in the first cache, where reading them takes no bandwidth."""


@dataclass(frozen=True)
class Launch:
    """A kernel with the kinds of its arguments."""

    name: str
    kernel: Any
    signature: tuple[tuple[str, str], ...]
    constants: tuple[tuple[str, Any], ...]
    aligned: tuple[int, ...]
    warps: int

    @property
    def what(self) -> str:
        """What distinguishes it from other launches of the kernel."""
        return " ".join(f"{key}={value}" for key, value in self.constants if value not in (None, False, 0))


class Count(TorchDispatchMode):
    """Counts operations that compute something, and launches of kernels."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.operations: Counter[str] = Counter()
        self.launches: Counter[Launch] = Counter()

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Count an operation of PyTorch."""
        name = func.overloadpacket.__name__
        is_view = any(made.alias_info and not made.alias_info.is_write for made in func._schema.returns)
        if not is_view and name not in NOTHING:
            self.operations[name] += 1
        return func(*args, **(kwargs or {}))

    def launched(self, name: str, kernel: Any, args: tuple[Any, ...], options: dict[str, Any]) -> None:
        """Count a launch; the arguments are told apart as Triton tells them apart."""
        values = dict(zip(kernel.arg_names, args, strict=False)) | options
        warps = values.pop("num_warps")
        signature, constants, aligned = {}, {}, []
        fixed = {parameter.name for parameter in kernel.params if parameter.do_not_specialize}
        for index, argument in enumerate(kernel.arg_names):
            value = values[argument]
            if isinstance(value, Tensor):
                signature[argument] = POINTERS[value.dtype]
                aligned.append(index)
            elif argument in fixed:
                signature[argument] = "i32" if value < 1 << 31 else "i64"
            elif value is None or value == 1 or argument.isupper():
                signature[argument], constants[argument] = "constexpr", value
            elif isinstance(value, int):
                signature[argument] = "i32" if value < 1 << 31 else "i64"
                aligned += [index] * (value % 16 == 0)
            else:
                signature[argument] = "fp32"
        launch = Launch(
            name, kernel, tuple(signature.items()), tuple(constants.items()), tuple(aligned), warps
        )
        self.launches[launch] += 1


class Spy:
    """Stands for a kernel: notes how it is launched."""

    def __init__(self, name: str, kernel: Any, count: Count) -> None:
        self._name, self._kernel, self._count = name, kernel, count

    def __getitem__(self, grid: Any) -> Any:
        return lambda *args, **options: self._count.launched(self._name, self._kernel, args, options)


@contextmanager
def counting() -> Iterator[Count]:
    """Count what happens inside."""
    count, real = Count(), [getattr(module, name) for module, name in KERNELS]
    for (module, name), kernel in zip(KERNELS, real, strict=True):
        setattr(module, name, Spy(name, kernel, count))
    try:
        with count:
            yield count
    finally:
        for (module, name), kernel in zip(KERNELS, real, strict=True):
            setattr(module, name, kernel)


@torch.inference_mode()
def frame(shape: Shape, n_vq: int, ops: Ops, options: EngineOptions) -> Count:
    """Return what a frame of `max_streams` streams is made of; within audio, if the model says words, too."""
    streams = options.max_streams
    model = random_network(shape, META, torch.bfloat16, options)
    codec = random_cat(cat_config(shape), META, options)
    use(ops, model, codec)
    made, rows = FrameGenerator(model, options), model.rows
    vocoder = Vocoder(codec, rows.num_codebooks, aligner_for(rows, streams, META), META, streams)
    vocoder.host = vocoder.host.to(META)  # nothing can leave that device
    with counting() as count:
        vocoder.compute(made.compute(replace(made.rounded(made.max_shape(n_vq)), is_outside=False)))
    return count


def compiled(launch: Launch, capability: int) -> tuple[int, int, int]:
    """Compile a kernel; return its registers, bytes spilled and bytes of shared memory."""
    attributes = {(index,): [["tt.divisibility", 16]] for index in launch.aligned}
    source = ASTSource(
        fn=launch.kernel,
        signature=dict(launch.signature),
        constexprs=dict(launch.constants),
        attrs=attributes,
    )
    made = triton.compile(
        source, target=GPUTarget("cuda", capability, 32), options={"num_warps": launch.warps}
    )
    tool = Path(triton.__file__).parent / "backends/nvidia/bin/cuobjdump"
    with tempfile.NamedTemporaryFile(suffix=".cubin") as file:
        file.write(made.asm["cubin"])
        file.flush()
        told = subprocess.run(
            [tool, "--dump-resource-usage", file.name], check=True, capture_output=True, text=True
        )
    found = re.search(r"REG:(\d+) STACK:(\d+) SHARED:(\d+)", told.stdout)
    assert found is not None, told.stdout
    return int(found[1]), int(found[2]), int(found[3])


def main() -> None:
    """Parse the command line, count, compile, print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--shape", choices=list(SHAPES), default="1.7b")
    parser.add_argument("--streams", type=int, default=1)
    parser.add_argument("--n-vq", type=int)
    parser.add_argument("--backbone-int8", action="store_true", help="backbone in 8 bits")
    parser.add_argument("--capability", type=int, nargs="*", default=[80, 90])
    args = parser.parse_args()
    shape = SHAPES[args.shape]
    n_vq = args.n_vq or shape.num_codebooks
    options = EngineOptions(max_streams=args.streams, backbone_int8=args.backbone_int8, pack_weights=False)
    plain, ours = (frame(shape, n_vq, ops, options) for ops in (TorchOps(), KernelOps()))
    kernels, rest = ours.launches.total(), ours.operations.total()
    print(f"A frame of {args.shape}, K={n_vq}, {args.streams} streams, bfloat16, codec in float32:")
    print(f"  PyTorch       {plain.operations.total():6} operations")
    print(f"  with kernels  {rest + kernels:6}: {kernels} launches of ours, {rest} operations")
    print(f"  left to PyTorch: {', '.join(f'{n} {name}' for name, n in ours.operations.most_common(8))}")
    spills = 0
    for launch, times in ours.launches.items():
        print(f"{launch.name} x {times}: {launch.what}")
        for capability in args.capability:
            registers, spilled, shared = compiled(launch, capability)
            spills += spilled if spilled > SPARE_BYTES else 0
            print(f"    sm_{capability}: {registers} registers, {spilled} bytes spilled, {shared} shared")
    sys.exit(f"{spills} bytes do not fit into registers" if spills else 0)


if __name__ == "__main__":
    main()
