"""What weights of 8 bits cost, and what they buy.

    python -m benchmarks.int8 [--sentences 10] [--no-race]

Known codes are put through a model, channel by channel, with plain and with rounded weights (teacher
forcing): what the embedded voice spoke, and the golden runs of the tests' checkpoints. Prints for each,
against the plain model in float32, how often the likeliest code is the same, how much the distributions
overlap, and the error of the logits against their spread; then the time of a frame of the shape `mid`, in
turns.
"""

from __future__ import annotations

import argparse
import asyncio
from pathlib import Path

import numpy as np
import torch

from benchmarks.frame import Bench
from benchmarks.measure import p50_p95, times_ms
from benchmarks.shapes import SHAPES
from benchmarks.teacher import Taught, golden, logits
from moss_stream import EngineOptions, StreamingSynthesizer
from moss_stream.embedded import embedded_model
from moss_stream.families.family import find
from moss_stream.families.frame_prompts import FramePrompts
from moss_stream.families.local.config import LocalConfig
from moss_stream.families.network import Network
from moss_stream.families.tokenizer import ChatTokenizer
from moss_stream.hub import read_json
from moss_stream.nn import int8
from moss_stream.text.message import Message

CPU = torch.device("cpu")
GOLDEN = Path(__file__).parent.parent / "tests" / "golden"
PLAIN = EngineOptions(text_head="full", pack_weights=False)
WAYS = {
    "bfloat16": (torch.bfloat16, PLAIN),
    "backbone in 8 bits": (torch.float32, PLAIN.replace(backbone_int8=True)),
    "depth in 8 bits": (torch.float32, PLAIN.replace(depth_int8=True)),
    "both": (torch.float32, PLAIN.replace(backbone_int8=True, depth_int8=True)),
    "bfloat16, backbone in 8 bits": (torch.bfloat16, PLAIN.replace(backbone_int8=True)),
}
TEXTS = (
    "The quick brown fox jumps over the lazy dog.",
    "Good morning, how are you today?",
    "The train leaves at nine and arrives before noon.",
    "Please open the window and close the door.",
    "We walked along the river and talked about the weather.",
)


async def spoken(texts: list[str]) -> list[Taught]:
    """Let the embedded voice speak."""
    folder = embedded_model()
    config = LocalConfig.parse(read_json(folder, "config.json"), str(folder))
    builder = FramePrompts(config, ChatTokenizer(folder))
    async with await StreamingSynthesizer.load() as synth:
        voices = [await synth.encode_voice(await synth.say(text)) for text in texts]
    found = []
    for text, voice in zip(texts, voices, strict=True):
        rows = builder.build(Message(text=text), np.asarray(voice.codes))
        found.append(Taught(rows, torch.from_numpy(rows[:, 1:] != config.audio_pad_code)))
    return found


def network(folder: Path, way: tuple[torch.dtype, EngineOptions]) -> Network:
    """Load a model in one of the `WAYS`."""
    dtype, options = way
    return find(folder).network(CPU, dtype, options)


def compare(name: str, folder: Path, taught: list[Taught]) -> None:
    """Print a line for each way of keeping the weights."""
    plain = network(folder, (torch.float32, PLAIN))
    size = plain.rows.codebook_size
    theirs = torch.cat([logits(plain, each)[:, :size] for each in taught])
    for way, (dtype, options) in WAYS.items():
        if options.depth_int8 and not hasattr(plain, "depth"):
            continue
        rounded = network(folder, (dtype, options))
        ours = torch.cat([logits(rounded, each)[:, :size] for each in taught])
        same = (ours.argmax(-1) == theirs.argmax(-1)).float().mean()
        overlap = torch.minimum(ours.softmax(-1), theirs.softmax(-1)).sum(-1).mean()
        error = (ours - theirs).std() / theirs.std(dim=-1).mean()
        figures = f"{100 * same:6.1f} % {100 * overlap:6.1f} % {100 * error:6.2f} %"
        print(f"{name:10} {len(ours):6} codes  {way:30} {figures}", flush=True)


@torch.inference_mode()
def race(dtype: torch.dtype) -> None:
    """Print the times of a frame of the shape `mid`, in turns."""
    ways = {way: each for way, (_, each) in WAYS.items() if not way.startswith("bfloat16")}
    ways = {"plain": EngineOptions(), **ways}
    benches = [
        Bench(
            SHAPES["mid"],
            CPU,
            dtype,
            32,
            300,
            each.replace(text_head="pair", max_streams=1, pack_weights=True),
        )
        for each in ways.values()
    ]
    times: list[list[float]] = [[] for _ in benches]
    for bench in benches:
        bench.prefill(0)
    for _ in range(3):
        for bench, values in zip(benches, times, strict=True):
            values += times_ms(bench.frame, 5, CPU, warmup=1)
    found = [f"{way} {p50_p95(values)[0]:.0f} ms" for way, values in zip(ways, times, strict=True)]
    print(f"frame of the shape mid, K=32, {dtype}: {', '.join(found)}")


def main() -> None:
    """Parse the command line, compare, race."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--sentences", type=int, default=10)
    parser.add_argument("--no-race", action="store_true", help="do not time frames")
    args = parser.parse_args()
    print(f"{'':36}against float32: likeliest same, overlap, error")
    taught = asyncio.run(spoken([TEXTS[index % len(TEXTS)] for index in range(args.sentences)]))
    compare("embedded", embedded_model(), taught)
    int8.MIN_NUMEL = 1  # all layers of the golden models are small
    for name in ("local", "realtime", "delay", "local_v15"):
        folder = GOLDEN / name
        compare(name, folder, list(golden(folder, network(folder, (torch.float32, PLAIN)).rows)))
    if not args.no_race:
        race(torch.bfloat16)


if __name__ == "__main__":
    main()
