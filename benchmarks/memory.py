"""What a model takes of a device's memory, for some numbers of streams: counted, not measured. Needs no GPU.

    python -m benchmarks.memory [--shape 1.7b] [--streams 1 32] [--max-context 4096] [--backbone-int8]

Weights, tables, caches and buffers are made on PyTorch's meta device, and their bytes are added up. Not
counted: the codec's encoder, what PyTorch, its libraries and CUDA graphs take for themselves, and what a
step needs for a moment.
"""

from __future__ import annotations

import argparse

import torch
from torch import Tensor, nn

from benchmarks.shapes import SHAPES, Shape, cat_config, random_cat, random_network
from moss_stream.codec.cat import Cat
from moss_stream.config import EngineOptions
from moss_stream.engine.generator import FrameGenerator

META = torch.device("meta")


def tensors(model: nn.Module) -> dict[int, int]:
    """Return the bytes of all weights and tables of a model, each once."""
    found: dict[int, int] = {}
    for module in model.modules():
        for value in [*vars(module).values(), *module._parameters.values(), *module._buffers.values()]:
            if isinstance(value, Tensor):
                found[id(value)] = value.nbytes
    return found


@torch.inference_mode()
def parts(shape: Shape, streams: int, max_context: int, backbone_int8: bool = False) -> dict[str, int]:
    """Return the bytes of each part, in bfloat16; the codec is in float32."""
    options = EngineOptions(
        max_streams=streams, max_context=max_context, pack_weights=False, backbone_int8=backbone_int8
    )
    model = random_network(shape, META, torch.bfloat16, options)
    codec: Cat = random_cat(cat_config(shape), META, options)
    made, state = FrameGenerator(model, options), codec.decoder.new_state(streams, max_frames=1)
    rings = [tensor for ring, _ in state.rings for tensor in (ring.keys, ring.values)]
    cache = made.state()[:2]
    backbone = sum(tensors(model.backbone).values())
    return {
        "backbone": backbone,
        "rest of the speech model": sum(tensors(model).values()) - backbone,
        "codec, decoder": sum(tensors(codec).values()),
        "KV cache": sum(tensor.nbytes for tensor in cache),
        "kept beginnings, at most": sum(tensor.nbytes for tensor in cache) // streams,
        "codec state": sum(tensor.nbytes for tensor in rings),
        "the rest": sum(tensor.nbytes for tensor in made.state()[2:]),
    }


def main() -> None:
    """Parse the command line, count, print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--shape", choices=list(SHAPES), default="1.7b")
    parser.add_argument("--streams", type=int, nargs="+", default=[1, 32])
    parser.add_argument("--max-context", type=int, default=4096)
    parser.add_argument("--backbone-int8", action="store_true")
    args = parser.parse_args()
    shape = SHAPES[args.shape]
    found = [parts(shape, streams, args.max_context, args.backbone_int8) for streams in args.streams]
    print(f"{'GB':26}" + "".join(f"{streams:>5} streams" for streams in args.streams))
    for part in found[0]:
        print(f"{part:26}" + "".join(f"{each[part] / 1e9:13.2f}" for each in found))
    print(f"{'in all':26}" + "".join(f"{sum(each.values()) / 1e9:13.2f}" for each in found))


if __name__ == "__main__":
    main()
