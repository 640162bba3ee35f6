"""What bfloat16 costs the codec's decoder: signal to error against float32.

    python -m benchmarks.codec_precision [--sentences 4]

The embedded codec decodes the codes of speech, frame by frame: with weights that were rounded to bfloat16 and
sums in float32, and with all of its transformers in bfloat16. The quantizer stays in float32.
"""

from __future__ import annotations

import argparse
import asyncio

import torch
from torch import Tensor

from moss_stream import StreamingSynthesizer
from moss_stream.cli.listeners import TEXTS
from moss_stream.codec.cat import Cat
from moss_stream.codec.load import load_cat
from moss_stream.config import EngineOptions
from moss_stream.embedded import embedded_model

CPU = torch.device("cpu")


async def codes(sentences: int) -> list[Tensor]:
    """Let the voice speak: codes [1, T, Nq] of each sentence."""
    async with await StreamingSynthesizer.load() as synth:
        voices = [await synth.encode_voice(await synth.say(TEXTS[i % len(TEXTS)])) for i in range(sentences)]
    return [torch.as_tensor(voice.codes)[None] for voice in voices]


@torch.inference_mode()
def decoder(rounded: bool, dtype: torch.dtype) -> Cat:
    """Return the codec with transformers in `dtype`, their weights rounded to bfloat16 or not."""
    codec = load_cat(embedded_model() / "codec", CPU, EngineOptions(pack_weights=False))
    for parameter in codec.decoder.stages.parameters():
        value = parameter.bfloat16() if rounded else parameter
        parameter.data = value.to(dtype)
    return codec


@torch.inference_mode()
def decode(codec: Cat, said: Tensor, dtype: torch.dtype) -> Tensor:
    """Decode frame by frame; the first transformer takes what the quantizer gives in its own dtype."""
    quantize = codec.quantizer.decode
    codec.quantizer.decode = lambda *args: quantize(*args).to(dtype)  # type: ignore[method-assign]
    state = codec.decoder.new_state(max_frames=1)
    return torch.cat([codec.decoder(frame, state).float() for frame in said.split(1, dim=1)], dim=1)


def decibels(signal: Tensor, other: Tensor) -> float:
    """Return signal to error."""
    return float(10 * torch.log10(signal.square().sum() / (signal - other).square().sum()))


def main() -> None:
    """Parse the command line, decode, compare."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--sentences", type=int, default=4)
    said = torch.cat(asyncio.run(codes(parser.parse_args().sentences)), dim=1)
    exact = decode(decoder(False, torch.float32), said, torch.float32)
    weights = decode(decoder(True, torch.float32), said, torch.float32)
    everything = decode(decoder(True, torch.bfloat16), said, torch.bfloat16)
    print(f"{said.shape[1]} frames of {said.shape[2]} codes")
    print(f"weights in bfloat16, sums in float32: {decibels(exact, weights):.1f} dB")
    print(f"transformers in bfloat16: {decibels(exact, everything):.1f} dB")


if __name__ == "__main__":
    main()
