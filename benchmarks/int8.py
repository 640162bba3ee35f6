"""What weights of 8 bits in the depth transformer cost, and what they buy.

    python -m benchmarks.int8 [--sentences 10] [--dtype bfloat16]

The embedded voice speaks; its own codes are then put through the depth transformer, channel by channel, with
plain and with rounded weights (teacher forcing). Prints, over all codes: the error of the logits against
their spread, how often the likeliest code is the same, how much the distributions overlap, and the time of a
frame of the shape `mid` with both.
"""

from __future__ import annotations

import argparse
import asyncio

import numpy as np
import torch
from torch import Tensor

from benchmarks.frame import Bench
from benchmarks.measure import p50_p95, times_ms
from benchmarks.shapes import SHAPES
from moss_stream import EngineOptions, StreamingSynthesizer
from moss_stream.embedded import embedded_model
from moss_stream.families.frame_prompts import FramePrompts
from moss_stream.families.local.load import load_local
from moss_stream.families.local.network import MossTTSLocal
from moss_stream.families.tokenizer import ChatTokenizer
from moss_stream.nn.qwen3 import causal_mask
from moss_stream.text.message import Message, Rows

CPU = torch.device("cpu")
TEXTS = (
    "The quick brown fox jumps over the lazy dog.",
    "Good morning, how are you today?",
    "The train leaves at nine and arrives before noon.",
    "Please open the window and close the door.",
    "We walked along the river and talked about the weather.",
)


async def spoken(texts: list[str]) -> list[Rows]:
    """Let the voice speak; return prompt and codes of each text as rows."""
    builder = FramePrompts(
        load_local(embedded_model(), CPU, torch.float32, EngineOptions()).config,
        ChatTokenizer(embedded_model()),
    )
    async with await StreamingSynthesizer.load() as synth:
        voices = [await synth.encode_voice(await synth.say(text)) for text in texts]
    return [
        builder.build(Message(text=text), np.asarray(voice.codes))
        for text, voice in zip(texts, voices, strict=True)
    ]


@torch.inference_mode()
def logits(model: MossTTSLocal, rows: Rows) -> Tensor:
    """Return the logits of all codes of a text, [frames, Nq, V], each after the true codes before it."""
    count = model.config.n_vq
    known = torch.from_numpy(rows)[None]
    positions = torch.arange(len(rows))[None]
    cache = model.backbone.new_cache(1, len(rows))
    mask = causal_mask(positions, len(rows))
    hidden = model.hidden(known, count, positions, cache, len(rows), mask)[0]
    is_audio = (rows[1:, 1:] != model.config.audio_pad_code).all(axis=1)
    frames = torch.from_numpy(np.flatnonzero(is_audio))
    codes = known[0, frames + 1]
    depth = model.depth
    depth_cache = depth.new_cache(len(frames))
    depth.step(depth.in_mlp(hidden[frames]), 0, depth_cache)
    x = depth.in_mlp(torch.nn.functional.embedding(codes[:, 0], model.text_embedding))
    found = []
    for codebook in range(count):
        if codebook:
            x = depth.code_input(codebook - 1, codes[:, codebook])
        found.append(depth.step(x, 1 + codebook, depth_cache).float()[:, : model.config.audio_vocab_size])
    return torch.stack(found, dim=1)


def compare(sentences: int, dtype: torch.dtype) -> None:
    """Print the errors."""
    rows = asyncio.run(spoken([TEXTS[index % len(TEXTS)] for index in range(sentences)]))
    plain, rounded = (
        load_local(embedded_model(), CPU, dtype, EngineOptions(depth_int8=is_rounded))
        for is_rounded in (False, True)
    )
    ours = torch.cat([logits(rounded, each) for each in rows])
    theirs = torch.cat([logits(plain, each) for each in rows])
    error = (ours - theirs).std() / theirs.std(dim=-1).mean()
    same = (ours.argmax(-1) == theirs.argmax(-1)).float().mean()
    overlap = torch.minimum(ours.softmax(-1), theirs.softmax(-1)).sum(-1).mean()
    print(f"{ours.shape[0]} frames, {dtype}: error of the logits {100 * error:.1f} % of their spread")
    print(
        f"the likeliest code is the same in {100 * same:.1f} %, a drawn one in {100 * overlap:.1f} % at least"
    )


@torch.inference_mode()
def race(dtype: torch.dtype) -> None:
    """Print the times of a frame of the shape `mid`, in turns."""
    benches = [
        Bench(SHAPES["mid"], CPU, dtype, 32, 300, EngineOptions(max_streams=1, depth_int8=rounded))
        for rounded in (False, True)
    ]
    times: list[list[float]] = [[], []]
    for bench in benches:
        bench.prefill(0)
    for _ in range(3):
        for bench, values in zip(benches, times, strict=True):
            values += times_ms(bench.frame, 5, CPU, warmup=1)
    plain, rounded = (p50_p95(values)[0] for values in times)
    print(f"frame of the shape mid, K=32: {plain:.0f} ms plain, {rounded:.0f} ms with 8 bits")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--sentences", type=int, default=10)
    parser.add_argument("--dtype", default="bfloat16")
    args = parser.parse_args()
    compare(args.sentences, getattr(torch, args.dtype))
    race(getattr(torch, args.dtype))
