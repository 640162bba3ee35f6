from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from golden_data import CPU
from torch import nn

from benchmarks import frame, gpu, memory
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
from moss_stream.config import ChannelSampling, EngineOptions, SamplingOptions, SynthesisOptions
from moss_stream.engine.generator import FrameGenerator
from moss_stream.engine.protocol import FrameKind
from moss_stream.families.delay.network import MossTTSDelay
from moss_stream.families.local_v15.network import MossTTSLocalV15
from moss_stream.nn import int8

STEREO = Shape(
    (2, 64, 128), (1, 64, 96), (4, 2, 16), 0, ((1, 64),) * 6, 256, num_codebooks=4, family="local_v15"
)
DELAY = Shape((2, 64, 128), (0, 0, 0), (4, 2, 16), 0, ((1, 64),) * 4, 256, num_codebooks=4, family="delay")
SMALL = Shape((2, 64, 128), (2, 48, 96), (4, 2, 16), 64, ((1, 64),) * 4, vocab=256, num_codebooks=4)


def size(*modules: nn.Module) -> int:
    return sum(parameter.nbytes for module in modules for parameter in module.parameters())


def test_bytes_of_a_frame_are_those_of_the_modules() -> None:
    """The counted bytes agree with the weights of a real model, up to norms and the unused K."""
    model = random_local(local_config(SMALL), CPU, torch.float32, EngineOptions(pack_weights=False))
    codec = random_cat(cat_config(SMALL), CPU, EngineOptions(pack_weights=False))
    counted = frame.bytes_per_frame(SMALL, 4, torch.float32, EngineOptions())
    assert counted["backbone"] == pytest.approx(size(model.backbone), rel=0.02)
    assert counted["depth layers"] == pytest.approx(5 * size(model.depth.layers), rel=0.02)
    heads = size(model.depth.out_mlps, model.depth.heads) + 2 * size(model.depth.in_mlp)
    assert counted["depth heads"] == pytest.approx(heads, rel=0.02)
    layers = [stage.layers for stage in codec.decoder.stages if hasattr(stage, "layers")]
    assert counted["codec"] == pytest.approx(size(*layers), rel=0.05)  # type: ignore[arg-type]


def test_bytes_of_a_stereo_frame_are_those_of_the_modules() -> None:
    """GPT-2's layers, tied heads, six stages of codec."""
    model = random_network(STEREO, CPU, torch.float32, EngineOptions(pack_weights=False))
    codec = random_cat(cat_config(STEREO), CPU, EngineOptions(pack_weights=False))
    counted = frame.bytes_per_frame(STEREO, 4, torch.float32, EngineOptions())
    assert counted["backbone"] == pytest.approx(size(model.backbone), rel=0.02)
    assert isinstance(model, MossTTSLocalV15)
    assert counted["depth layers"] == pytest.approx(4 * size(model.depth.layers), rel=0.03)
    heads = size(model.depth.heads, model.depth.text_head)
    assert counted["depth heads"] == pytest.approx(heads, rel=0.02)
    layers = [stage.layers for stage in codec.decoder.stages if hasattr(stage, "layers")]
    assert counted["codec"] == pytest.approx(size(*layers), rel=0.05)  # type: ignore[arg-type]
    assert (codec.sample_rate, codec.channels, len(layers)) == (48_000, 2, 6)


@pytest.mark.parametrize("backbone_int8", [False, True])
def test_bytes_of_a_frame_with_a_delay_pattern(backbone_int8: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """All heads of the codebooks, however many are heard, and of the text head two rows."""
    monkeypatch.setattr(int8, "MIN_NUMEL", 1)
    options = EngineOptions(pack_weights=False, backbone_int8=backbone_int8)
    model = random_network(DELAY, CPU, torch.float32, options)
    counted = frame.bytes_per_frame(DELAY, 2, torch.float32, options)
    assert isinstance(model, MossTTSDelay)
    assert counted["backbone"] == pytest.approx(size(model.backbone), rel=0.05)
    assert counted["heads"] == size(model.slot_head, model.code_heads)


def test_the_8b_shape_is_the_checkpoints() -> None:
    """What a frame reads of Qwen3-8B and the heads: 14.2 GB, 7.2 in 8 bits; of the codec 3.5 GB."""
    for options, wanted in ((EngineOptions(), 14.2), (EngineOptions(backbone_int8=True), 7.2)):
        counted = frame.bytes_per_frame(SHAPES["delay-8b"], 32, torch.bfloat16, options)
        assert (sum(counted.values()) - counted["codec"]) / 1e9 == pytest.approx(wanted, abs=0.1)
        assert counted["codec"] / 1e9 == pytest.approx(3.5, abs=0.1)


def test_the_17b_shape_is_the_checkpoints() -> None:
    """The large shape reads the 18.4 GB a frame of the 1.7B model at K=32, and 7.5 GB at K=8."""
    for n_vq, wanted in ((32, 17.8), (8, 6.9)):
        counted = frame.bytes_per_frame(SHAPES["1.7b"], n_vq, torch.bfloat16, EngineOptions())
        assert (sum(counted.values()) - counted["codec"]) / 1e9 == pytest.approx(wanted, abs=0.9)


def test_the_plain_loop_gives_the_same_rows() -> None:
    """What is compared against makes the same frames: greedy rows agree."""
    greedy = ChannelSampling(temperature=0.0)
    sampling = SamplingOptions(text=greedy, audio=greedy)
    model = random_local(local_config(SMALL), CPU, torch.float32, EngineOptions(text_head="full"))
    rows = np.full((20, 5), 1024)
    rows[:, 0] = np.arange(20)
    ours, plain = FrameGenerator(model, EngineOptions()), PlainLoop(model)
    ours.open(0, SynthesisOptions(sampling=sampling))
    plain.sampler.configure(0, sampling.channels(4), seed=0)
    with torch.inference_mode():
        ours.begin(0, rows)
        assert ours.prefill(0)
        plain.prefill(rows)
        for _ in range(5):
            assert torch.equal(ours.step([0]).rows, plain.step(4))


@pytest.mark.parametrize("shape", [STEREO, DELAY], ids=lambda shape: shape.family)
def test_the_frame_benchmark_runs_for_every_family(
    shape: Shape, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every family with a shape of its own can be timed, with a backbone of 8 bits, too."""
    monkeypatch.setitem(SHAPES, "tiny", shape)
    monkeypatch.setattr(frame, "bandwidth_gb_s", lambda device: 40.0)
    file = tmp_path / "out.json"
    arguments = ["--shape", "tiny", "--frames", "3", "--context", "60", "--backbone-int8"]
    monkeypatch.setattr(sys, "argv", ["frame.py", *arguments, "--json", str(file)])
    frame.main()
    figures = json.loads(file.read_text())
    assert (figures["n_vq"], figures["int8"]) == (4, ["backbone"])


def test_an_audio_of_random_weights_never_ends() -> None:
    """So that every frame that is timed is one of audio, once the first one is there."""
    bench = frame.Bench(DELAY, CPU, torch.float32, 3, 60, EngineOptions(max_streams=2))
    with torch.inference_mode():
        for slot in bench.slots:
            bench.prefill(slot)
        kinds = [[made.kind for made in bench.frame()] for _ in range(40)]
    assert kinds == [[FrameKind.NOTHING] * 2] * 2 + [[FrameKind.AUDIO] * 2] * 38


def test_the_frame_benchmark_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It prints its figures and writes them as JSON."""
    monkeypatch.setitem(SHAPES, "tiny", SMALL)
    monkeypatch.setattr(frame, "bandwidth_gb_s", lambda device: 40.0)
    file = tmp_path / "out.json"
    arguments = ["--shape", "tiny", "--frames", "10", "--context", "60", "--compare", "--json", str(file)]
    monkeypatch.setattr(sys, "argv", ["frame.py", *arguments])
    frame.main()
    figures = json.loads(file.read_text())
    assert figures["n_vq"] == 4 and figures["times_faster_than_plain"] > 0 and figures["floor_ms"] > 0


def test_memory_grows_by_the_stream() -> None:
    """Weights are there once, caches for each stream: layers, heads, rows and dimensions, twice."""
    one, three = (memory.parts(SMALL, streams, 128) for streams in (1, 3))
    for part in ("backbone", "rest of the speech model", "codec, decoder"):
        assert one[part] == three[part]
    rows = 2 * SMALL.backbone[0] * SMALL.heads[1] * 129 * SMALL.heads[2]
    depth = 2 * SMALL.depth[0] * SMALL.heads[1] * (1 + SMALL.num_codebooks) * SMALL.heads[2]
    assert one["KV cache"] == 2 * rows and three["KV cache"] == 3 * 2 * rows
    assert three["codec state"] == 3 * one["codec state"] and three["the rest"] > 3 * 2 * depth


def test_a_backbone_of_8_bits_takes_half_of_its_memory() -> None:
    """Of the 8B model 13.9 GB of bfloat16, and nothing else."""
    half, whole = (memory.parts(SHAPES["delay-8b"], 1, 4096, rounded) for rounded in (True, False))
    assert whole["backbone"] / 1e9 == pytest.approx(13.9, abs=0.1)
    assert half["backbone"] / whole["backbone"] == pytest.approx(0.5, abs=0.01)
    del half["backbone"], whole["backbone"]
    assert half == whole


def test_tests_that_need_a_gpu_are_in_one_folder() -> None:
    """Others, such as those of the server, are not even collected on a machine with a GPU."""
    tests = Path(__file__).parents[1]
    marked = [path for path in tests.rglob("test_*.py") if "pytest.mark.gpu" in path.read_text("utf-8")]
    folders = {str(path.parent.relative_to(tests.parent)) for path in marked if path != Path(__file__)}
    assert folders == {gpu.GPU_TESTS}


def test_what_is_measured_on_a_gpu_exists() -> None:
    """Every command names a module, with options that it has."""
    for module, *options in gpu.commands("1.7b").values():
        if module == "pytest":
            assert all((Path(__file__).parents[2] / each).is_dir() for each in options if "/" in each)
            continue
        text = Path(__file__).parents[2].joinpath(*module.split(".")).with_suffix(".py").read_text()
        assert all(f'"{option}"' in text for option in options if option.startswith("-")), module


@pytest.mark.ci
@pytest.mark.slow
@pytest.mark.parametrize("shape", [["1.7b"], ["delay-8b"], ["delay-8b", "--backbone-int8"]], ids=" ".join)
def test_every_kernel_of_a_large_frame_compiles(shape: list[str], tmp_path: Path) -> None:
    """For the oldest GPU that is served, without spills; with a third of PyTorch's operations."""
    pytest.importorskip("triton")
    # Another process: here Triton may be told to interpret.
    environment = {key: value for key, value in os.environ.items() if key != "TRITON_INTERPRET"}
    done = subprocess.run(
        [
            sys.executable,
            "-W",
            "ignore",
            "-m",
            "benchmarks.kernel_code",
            "--capability",
            "80",
            "--shape",
            *shape,
        ],
        capture_output=True,
        text=True,
        env=environment | {"TRITON_CACHE_DIR": str(tmp_path)},
    )
    assert done.returncode == 0, done.stderr
    plain, ours = (int(found) for found in re.findall(r"(?:PyTorch|kernels) +(\d+)", done.stdout)[:2])
    assert ours < plain / 3 and "_project" in done.stdout and "_attend" in done.stdout
