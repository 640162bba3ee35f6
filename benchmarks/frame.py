"""Time one frame: backbone step, depth loop with sampling, codec step.

    python -m benchmarks.frame --shape 1.7b|mid|tiny|realtime|local-v1.5|delay-8b [--n-vq 32]
                               [--device auto] [--dtype auto] [--frames 50] [--context 300] [--streams 1]
                               [--eager] [--depth-int8] [--backbone-int8] [--compare] [--json out.json]

Weights are random. "Bytes read" are the weights that one frame touches; the floor is the time to read
them at the bandwidth measured in the same run. `--compare` times a plain loop beside it, which runs
the depth transformer again over the whole frame so far for each codebook, as the reference
implementation does, and alternates with ours so that both see the same machine. On a GPU frames are replayed
from CUDA graphs, unless `--eager` is given.
"""

from __future__ import annotations

import argparse
import json
import platform
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import torch

from benchmarks.measure import bandwidth_gb_s, p50_p95, times_ms
from benchmarks.plain import PlainLoop
from benchmarks.shapes import (
    SHAPES,
    Shape,
    cat_config,
    local_config,
    random_cat,
    random_local,
    random_network,
)
from moss_stream.audio import FRAME_S
from moss_stream.config import EngineOptions, SynthesisOptions
from moss_stream.engine.capture import GraphCapture
from moss_stream.engine.delayed import aligner_for
from moss_stream.engine.device import choose_device, choose_dtype
from moss_stream.engine.generator import FrameGenerator
from moss_stream.engine.protocol import Frame, FrameKind
from moss_stream.engine.runner import FrameRunner
from moss_stream.engine.vocoder import Vocoder
from moss_stream.text.message import Rows


def bytes_per_frame(shape: Shape, n_vq: int, dtype: torch.dtype, options: EngineOptions) -> dict[str, int]:
    """Count the weight bytes that one frame reads, by part; of a model that also says words, within audio."""
    heads, kv_heads, d = shape.heads

    def layer(hidden: int, inner: int) -> int:
        return hidden * d * (2 * heads + 2 * kv_heads) + 3 * hidden * inner

    layers, hidden, inner = shape.backbone
    size = torch.finfo(dtype).bits // 8
    backbone = layers * layer(hidden, inner) * (1 if options.backbone_int8 else size)
    codec = 4 * sum(stage_layers * 12 * stage_width**2 for stage_layers, stage_width in shape.codec)
    if shape.family == "delay":  # all codebooks, however many are heard, and two rows of the text head
        heads_of = (2 + 1025 * shape.num_codebooks) * hidden
        return {"backbone": backbone, "heads": heads_of * size, "codec": codec}
    depth_layers, width, depth_inner = shape.depth
    in_mlp = shape.bridge * (2 * hidden + width)
    out_mlp = shape.bridge * (2 * width + hidden)
    depth_layer = layer(width, depth_inner)
    steps, bridges = n_vq, 0
    if shape.family == "realtime":
        heads_of = 1027 * n_vq * width
    elif shape.family == "local_v15":  # GPT-2's layers: as many keys as queries, no gate
        depth_layer = 4 * width**2 + 2 * width * depth_inner
        heads_of = (2 + 1025 * n_vq) * width
    else:
        steps, bridges = 1 + n_vq, 2 * in_mlp
        heads_of = (1 + n_vq) * out_mlp + (2 + 1025 * n_vq) * hidden
    each = 1 if options.depth_int8 else size
    return {
        "backbone": backbone,
        "depth layers": steps * depth_layers * depth_layer * each,
        "depth heads": bridges * size + heads_of * each,
        "codec": codec,
    }


class Bench:
    """A model of a shape, streams with prompts of `context` rows, and what is timed on them."""

    def __init__(
        self,
        shape: Shape,
        device: torch.device,
        dtype: torch.dtype,
        n_vq: int,
        context: int,
        options: EngineOptions,
        is_eager: bool = False,
    ) -> None:
        streams = options.max_streams
        self.device, self.n_vq, self.slots = device, n_vq, range(streams)
        self.model = random_network(shape, device, dtype, options)
        self.format = self.model.rows
        codec = random_cat(cat_config(shape), device, options)
        self.generator = FrameGenerator(self.model, options)
        count, pad = self.format.num_codebooks, self.format.codebook_size
        self.vocoder = Vocoder(codec, count, aligner_for(self.format, streams, device), device, streams)
        self.capture = None if is_eager or device.type != "cuda" else GraphCapture(device)
        self.runner = FrameRunner(self.generator, self.vocoder, self.capture)
        for slot in self.slots:
            self.generator.open(slot, SynthesisOptions(n_vq=n_vq))
            self.vocoder.open(slot, SynthesisOptions(n_vq=n_vq))
        self.rows: Rows = np.full((context, 1 + count), pad, dtype=np.int64)
        self.rows[:, 0] = np.arange(context) % 97 + 10
        if self.format.delay is not None:  # no words: the next row is one of audio
            self.rows[-1, 0] = self.format.delay.start_id

    def frame(self) -> list[Frame]:
        """Make one frame of every stream."""
        return self.runner.step(self.slots)

    def first_audio(self, cached_rows: int) -> None:
        """From a prompt whose first `cached_rows` rows are known (the voice) to the first PCM on the host."""
        self.rows[cached_rows:-1, 0] += 1  # another text
        self.prefill(0, cached_rows)
        while self.runner.step([0])[0].kind is FrameKind.NOTHING:  # codebooks that come row by row
            pass

    def prefill(self, slot: int, num_fixed: int = 0) -> None:
        """Run the prompt of a slot, as far as it is not known."""
        self.vocoder.begin(slot, gain=1.0)
        self.generator.begin(slot, self.rows, num_fixed)
        if self.format.feed is not None:
            self.generator.give(slot, range(10, 10 + self.format.feed.opening), is_last=True)
        while not self.runner.prefill(slot):
            pass


def run(args: argparse.Namespace) -> dict[str, Any]:
    """Measure, and return the figures."""
    device = choose_device(args.device)
    dtype = choose_dtype(args.dtype, device)
    shape = SHAPES[args.shape]
    n_vq = args.n_vq or shape.num_codebooks
    options = EngineOptions(
        max_streams=args.streams, depth_int8=args.depth_int8, backbone_int8=args.backbone_int8
    )
    bench = Bench(shape, device, dtype, n_vq, args.context, options, args.eager)
    first = p50_p95(times_ms(lambda: bench.first_audio(args.context - 40), 10, device))
    for slot in bench.slots:
        bench.prefill(slot)
    read = bytes_per_frame(shape, n_vq, dtype, options)
    result: dict[str, Any] = {
        "machine": torch.cuda.get_device_name(device) if device.type == "cuda" else _cpu_name(),
        "torch": torch.__version__,
        "shape": args.shape,
        "n_vq": n_vq,
        "int8": [part for part in ("depth", "backbone") if getattr(options, f"{part}_int8")],
        "streams": args.streams,
        "dtype": str(dtype).removeprefix("torch."),
    }
    if args.compare:
        frames, plain = _compare(bench, shape, device, dtype, args.frames)
        result["plain_p50_ms"] = p50_p95(plain)[0]
        result["times_faster_than_plain"] = p50_p95(plain)[0] / p50_p95(frames)[0]
    else:
        frames = times_ms(bench.frame, args.frames, device)
    if bench.capture is not None:
        result["graph_s"], result["graph_mb"] = bench.capture.seconds, bench.capture.bytes / 1e6
    p50, p95 = p50_p95(frames)
    bandwidth = bandwidth_gb_s(device)
    floor_ms = sum(read.values()) / bandwidth / 1e6
    return result | {
        "frame_p50_ms": p50,
        "frame_p95_ms": p95,
        "rtf": p50 / 1000 / FRAME_S,
        "first_audio_p50_ms": first[0],
        "first_audio_p95_ms": first[1],
        "bytes_read": read,
        "gb_read": sum(read.values()) / 1e9,
        "bandwidth_gb_s": bandwidth,
        "floor_ms": floor_ms,
        "share_of_floor": floor_ms / p50,
    }


def _compare(
    bench: Bench, shape: Shape, device: torch.device, dtype: torch.dtype, count: int
) -> tuple[list[float], list[float]]:
    """Time our frame and the plain loop in turns, without the codec's step; a captured frame has it."""
    plain = PlainLoop(
        random_local(local_config(shape), device, dtype, EngineOptions(text_head="full", pack_weights=False))
    )
    plain.prefill(bench.rows)
    ours: Callable[[], object] = partial(bench.generator.step, [0]) if bench.capture is None else bench.frame
    ours_ms, plain_ms = [], []
    for _ in range(max(1, count // 10)):
        ours_ms += times_ms(ours, 10, device, warmup=1)
        plain_ms += times_ms(lambda: plain.step(bench.n_vq), 3, device, warmup=1)
    return ours_ms, plain_ms


def _cpu_name() -> str:
    name = ""
    if platform.system() == "Linux":
        with open("/proc/cpuinfo", encoding="utf-8") as lines:
            name = next(
                (line.partition(":")[2].strip() for line in lines if line.startswith("model name")), ""
            )
    return f"{name or platform.processor()}, {torch.get_num_threads()} threads"


def _show(r: dict[str, Any]) -> None:
    print(
        f"{r['machine']}, torch {r['torch']}: shape {r['shape']}, K={r['n_vq']}, {r['dtype']}, "
        f"{r['streams']} streams{''.join(f', {part} in 8 bits' for part in r['int8'])}"
    )
    print(
        f"  frame        p50 {r['frame_p50_ms']:.2f} ms, p95 {r['frame_p95_ms']:.2f} ms, RTF {r['rtf']:.3f}"
    )
    print(f"  first audio  p50 {r['first_audio_p50_ms']:.1f} ms, p95 {r['first_audio_p95_ms']:.1f} ms")
    parts = ", ".join(f"{part} {size / 1e9:.3f}" for part, size in r["bytes_read"].items())
    print(f"  weights      {r['gb_read']:.3f} GB a frame ({parts})")
    floor = f"{r['floor_ms']:.2f} ms at {r['bandwidth_gb_s']:.0f} GB/s"
    print(f"  floor        {floor}; the frame reaches {100 * r['share_of_floor']:.0f} % of it")
    if "graph_s" in r:
        print(f"  graphs       captured in {r['graph_s']:.1f} s, they hold {r['graph_mb']:.0f} MB")
    if "plain_p50_ms" in r:
        faster = r["times_faster_than_plain"]
        plain = f"p50 {r['plain_p50_ms']:.1f} ms, {faster:.1f} times slower (without the codec)"
        print(f"  plain loop   {plain}")


def main() -> None:
    """Parse the command line, measure, print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--shape", choices=list(SHAPES), default="mid")
    parser.add_argument("--n-vq", type=int)
    parser.add_argument("--device", default="auto")
    parser.add_argument("--dtype", default="auto")
    parser.add_argument("--frames", type=int, default=50)
    parser.add_argument("--context", type=int, default=300, help="rows of the prompt")
    parser.add_argument("--streams", type=int, default=1, help="spoken at the same time")
    parser.add_argument("--eager", action="store_true", help="no CUDA graphs")
    parser.add_argument("--depth-int8", action="store_true", help="depth transformer in 8 bits")
    parser.add_argument("--backbone-int8", action="store_true", help="backbone in 8 bits")
    parser.add_argument("--compare", action="store_true", help="time the plain loop too")
    parser.add_argument("--json", metavar="FILE", help="write the figures there")
    args = parser.parse_args()
    if args.compare and SHAPES[args.shape].family != "local":
        parser.error("--compare has a plain loop for MossTTSLocal alone")
    with torch.inference_mode():
        result = run(args)
    _show(result)
    if args.json:
        with open(args.json, "w", encoding="utf-8") as file:
            json.dump(result, file, indent=2)


if __name__ == "__main__":
    main()
