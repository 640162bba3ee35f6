from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
import torch
from golden_data import GOLDEN, expected, prefill
from kernel_lab import DEVICE, near, random
from torch import Tensor, nn

from moss_stream.codec.load import load_cat
from moss_stream.config import ChannelSampling, EngineOptions, SamplingOptions, SynthesisOptions
from moss_stream.engine.aligner import Immediate
from moss_stream.engine.generator import FrameGenerator
from moss_stream.engine.vocoder import Vocoder
from moss_stream.families.local.load import load_local
from moss_stream.families.local_v15.load import load_local_v15
from moss_stream.families.realtime.load import load_realtime
from moss_stream.kernels import ops as kernel_ops
from moss_stream.kernels import project
from moss_stream.kernels.ops import KernelOps
from moss_stream.kernels.project import Product
from moss_stream.nn.int8 import Int8Linear
from moss_stream.nn.layers import Heads, RMSNorm
from moss_stream.nn.ops import Ops, TorchOps, use

GREEDY = ChannelSampling(temperature=0.0)
OPTIONS = SynthesisOptions(sampling=SamplingOptions(text=GREEDY, audio=GREEDY))


@pytest.fixture(autouse=True)
def few_programs(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The interpreter runs programs one after the other."""
    if DEVICE.type == "cpu":
        monkeypatch.setattr(project, "blocks_for", lambda rows, is_gated: project.Blocks(64, 64))
    yield


def speak(ops: Ops, frames: int) -> list[tuple[list[int], bytes]]:
    """Speak the beginning of a golden prompt: rows and samples."""
    options = EngineOptions(max_streams=1, max_context=512, pack_weights=False)
    model = load_local(GOLDEN / "local", DEVICE, torch.float32, options)
    codec = load_cat(GOLDEN / "cat", DEVICE, options)
    use(ops, model, codec)
    made = FrameGenerator(model, options)
    vocoder = Vocoder(codec, 8, Immediate(model.rows), DEVICE, batch=1)
    use(TorchOps(), model)  # for the prompt: the interpreter is slow
    made.open(0, OPTIONS)
    prefill(made, expected("local")["direct.input_ids"].numpy())
    use(ops, model)
    said = []
    for _ in range(frames):
        step = made.step([0])
        said.append((step.rows[0].tolist(), vocoder.step(step, [0])[0].pcm))
    return said


@pytest.mark.ci
@pytest.mark.slow
def test_golden_codes_and_sound() -> None:
    """All parts of a frame by kernels: the codes of the reference, the samples of PyTorch."""
    wanted = expected("local")["direct.greedy.k8"].tolist()[:2]
    both = speak(KernelOps(), 2), speak(TorchOps(), 2)
    assert [row for row, _ in both[0]] == [row for row, _ in both[1]] == wanted
    ours, theirs = (np.frombuffer(b"".join(pcm for _, pcm in said), dtype=np.int16) for said in both)
    assert np.abs(ours.astype(int) - theirs).max() <= 2 and np.abs(theirs).max() > 100


@pytest.mark.ci
@pytest.mark.slow
def test_golden_codes_of_a_model_that_reads_while_it_speaks() -> None:
    """Its depth transformer has positions, and rows of 1,027 values."""
    from realtime_data import FOLDER, case_list, greedy, run_prompt, step

    options = EngineOptions(max_streams=1, max_context=512, pack_weights=False)
    model, case = load_realtime(FOLDER, DEVICE, torch.float32, options), case_list()[3]
    made, data = FrameGenerator(model, options), expected("realtime")
    made.open(0, greedy(1.1))
    made.begin(0, data["voice.input_ids"].numpy(), 100)
    made.give(0, case["text_tokens"], is_last=True)
    run_prompt(made, 0)
    use(KernelOps(), model)
    frames = [step(made, [0])[0] for _ in range(3)]
    np.testing.assert_array_equal(frames, data["voice.greedy.rp1.1"][:3].numpy())


def test_what_does_not_fit_is_left_to_pytorch() -> None:
    """Many rows, a norm that no kernel has: the result is the same."""
    ours, theirs, x = KernelOps(max_rows=4), TorchOps(), random(5, 1, 32)
    plain, bias = nn.Linear(32, 48, bias=False).to(DEVICE), nn.Linear(32, 48).to(DEVICE)
    with torch.inference_mode():
        assert torch.equal(ours.project(x, plain), theirs.project(x, plain))
        assert torch.equal(ours.project(x, bias, None, "silu"), theirs.project(x, bias, None, "silu"))
        odd = nn.LayerNorm(32, elementwise_affine=False).to(DEVICE)
        assert near(ours.project(x[:1], plain, odd), theirs.project(x[:1], plain, odd))
        residual, scale, norm = random(5, 1, 48), random(48), RMSNorm(32).to(DEVICE)
        norm.weight.copy_(random(32))
        assert near(ours.project(x, plain, norm, "gated"), theirs.project(x, plain, norm, "gated"))
        for layer in (plain, bias):
            assert near(ours.add(x, layer, residual), theirs.add(x, layer, residual))
            assert near(ours.add(x, layer, residual, scale), theirs.add(x, layer, residual, scale))
    assert ours.finds_rows(Heads(16, 8, 128), 8) and not ours.finds_rows(Heads(16, 8, 128), 9)


def test_a_layer_of_8_bits() -> None:
    """Its weights are read as they are; a bias is added."""
    norm, x = RMSNorm(64).to(DEVICE), random(2, 64)
    nn.init.normal_(norm.weight)
    for has_bias in (False, True):
        rounded = Int8Linear(nn.Linear(64, 96, bias=has_bias, device=DEVICE))
        with torch.inference_mode():
            ours = KernelOps().project(x, rounded, norm, "gated")
            assert near(ours, TorchOps().project(x, rounded, norm, "gated"))


@pytest.mark.ci
@pytest.mark.slow
def test_golden_codes_of_a_model_with_biases() -> None:
    """Its depth transformer has LayerNorm, biases, SiLU, and heads that are no power of two wide."""
    from local_v15_data import FOLDER, PENALISED, case, prompts

    options = EngineOptions(max_streams=1, max_context=512, pack_weights=False)
    model = load_local_v15(FOLDER, DEVICE, torch.float32, options)
    made = FrameGenerator(model, options)
    made.open(0, SynthesisOptions(sampling=PENALISED))
    prefill(made, prompts().build(case("clone").message))
    use(KernelOps(), model)
    rows = np.stack([made.step([0]).rows[0].cpu().numpy().copy() for _ in range(3)])
    np.testing.assert_array_equal(rows, expected("local_v15")["clone.topk1_rp1.3"].numpy())


@pytest.mark.parametrize(("rows", "floats", "bytes_"), [(2, 1, 1), (3, 0, 1), (8, 0, 1), (9, 0, 0)])
def test_who_multiplies(monkeypatch: pytest.MonkeyPatch, rows: int, floats: int, bytes_: int) -> None:
    """Weights of 8 bits stay with the kernel for more rows than floats do."""
    taken: list[Product] = []

    def note(x: Tensor, product: Product) -> Tensor:
        taken.append(product)
        return x

    monkeypatch.setattr(kernel_ops, "project", note)
    linear = nn.Linear(32, 32, bias=False).to(DEVICE)
    for layer, wanted in ((linear, floats), (Int8Linear(linear).to(DEVICE), bytes_)):
        taken.clear()
        with torch.inference_mode():
            KernelOps().project(random(rows, 32), layer)
        assert len(taken) == wanted
