from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from golden_data import Case, cases, expected, generator, model, prefill, prompts
from torch import Tensor

from benchmarks.shapes import SHAPES, local_config, random_local
from moss_stream.config import ChannelSampling, EngineOptions, SamplingOptions, SynthesisOptions
from moss_stream.engine.generator import FrameGenerator

GREEDY = ChannelSampling(temperature=0.0)
PENALISED = SamplingOptions(
    text=ChannelSampling(top_k=1, top_p=0.95),
    audio=ChannelSampling(top_k=1, top_p=0.95, repetition_penalty=1.3),
)
SETTINGS = {
    "greedy.k1": SynthesisOptions(sampling=SamplingOptions(text=GREEDY, audio=GREEDY), n_vq=1),
    "greedy.k4": SynthesisOptions(sampling=SamplingOptions(text=GREEDY, audio=GREEDY), n_vq=4),
    "greedy.k8": SynthesisOptions(sampling=SamplingOptions(text=GREEDY, audio=GREEDY), n_vq=8),
    "topk1_rp1.3": SynthesisOptions(sampling=PENALISED),
}


def generate(made: FrameGenerator, rows: Tensor, options: SynthesisOptions, count: int) -> Tensor:
    made.open(0, options)
    prefill(made, rows.numpy())
    return torch.cat([made.step([0]).rows.clone() for _ in range(count)])


@pytest.mark.parametrize("setting", SETTINGS)
@pytest.mark.parametrize("case", cases(), ids=lambda case: case.name)
def test_golden_frames(case: Case, setting: str) -> None:
    """Generated rows are those of the reference, at each depth and with the penalty."""
    wanted = expected("local")[f"{case.name}.{setting}"]
    rows = torch.from_numpy(prompts().build(case.message, case.prefix))
    assert torch.equal(generate(generator(), rows, SETTINGS[setting], len(wanted)), wanted)


def test_golden_frames_from_one_generator_in_any_order() -> None:
    """A generator that has spoken other texts, with its kept prefix, speaks each as a fresh one.

    What it kept decides the first frames: eight of each, of which the last see all that the first wrote.
    """
    made = generator(prefill_chunk=16)
    for setting in ("greedy.k8", "greedy.k4", "topk1_rp1.3"):
        for case in cases():
            wanted = expected("local")[f"{case.name}.{setting}"][:8]
            rows = expected("local")[f"{case.name}.input_ids"]
            assert torch.equal(generate(made, rows, SETTINGS[setting], len(wanted)), wanted), case.name


def test_a_kept_prefix_changes_no_bit() -> None:
    """Prefill that reuses the cache leaves the same hidden state, bit for bit, as a fresh one."""
    rows = expected("local")["clone.input_ids"].numpy()
    other = rows.copy()
    other[-20:, 0] = 300
    fresh, used = generator(prefill_chunk=32), generator(prefill_chunk=32)
    prefill(used, other)
    for made in (fresh, used):
        prefill(made, rows)
    for a, b in zip(fresh.state(), used.state(), strict=True):
        if a.ndim == 5:  # beyond the prompt the caches may differ
            a, b = a[:, :, :, : len(rows)], b[:, :, :, : len(rows)]
        assert torch.equal(a, b)


def test_a_prefill_that_failed_is_not_reused(monkeypatch: pytest.MonkeyPatch) -> None:
    """After a prefill that broke off half-way, the next one does not trust what it left in the cache."""
    rows = expected("local")["clone.input_ids"].numpy()
    other = rows.copy()
    other[5:, 0] = 300
    fresh, used = generator(prefill_chunk=32), generator(prefill_chunk=32)
    prefill(fresh, rows)
    prefill(used, rows)
    hidden, calls = type(model()).hidden, iter([True, False])

    def fail_at_the_second_chunk(*args: Any) -> Tensor:
        if not next(calls):
            raise RuntimeError("out of memory")
        return hidden(*args)

    with monkeypatch.context() as patch, pytest.raises(RuntimeError, match="out of memory"):
        patch.setattr(type(model()), "hidden", fail_at_the_second_chunk)
        prefill(used, other)
    prefill(used, rows)
    assert torch.equal(fresh.state()[0][:, :, :, : len(rows)], used.state()[0][:, :, :, : len(rows)])


def test_a_seed_gives_the_same_rows_and_another_seed_others() -> None:
    """The default sampling is reproducible."""
    rows = expected("local")["direct.input_ids"]
    first, again, other = (generate(generator(), rows, SynthesisOptions(seed=seed), 12) for seed in (3, 3, 4))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


def test_unused_codebooks_are_zero() -> None:
    """With n_vq=3 the other columns of a row stay 0, also after a stream that used them all."""
    made, rows = generator(), expected("local")["direct.input_ids"]
    generate(made, rows, SynthesisOptions(), 3)
    out = generate(made, rows, SynthesisOptions(n_vq=3), 5)
    assert not out[:, 4:].any() and out[:, 1:4].any()


@pytest.mark.parametrize("frames", [300, pytest.param(2000, marks=pytest.mark.ci)])
def test_many_frames_grow_nothing(frames: int) -> None:
    """The last frame uses the memory of the first: the same tensors at the same places, no more of them."""
    made = generator(max_context=4096)
    rows = expected("local")["direct.input_ids"]
    generate(made, rows, SynthesisOptions(n_vq=1), 5)
    places = [(t.data_ptr(), t.nbytes) for t in made.state()]
    alive = _num_tensors()
    for _ in range(frames):
        made.step([0])
    assert [(t.data_ptr(), t.nbytes) for t in made.state()] == places
    assert _num_tensors() <= alive


def _num_tensors() -> int:
    import gc

    gc.collect()
    return sum(issubclass(type(thing), torch.Tensor) for thing in gc.get_objects())


def test_the_step_returns_one_buffer() -> None:
    """A step writes its row into the same memory each time."""
    made = generator()
    made.open(0, SynthesisOptions())
    prefill(made, expected("local")["direct.input_ids"].numpy())
    assert made.step([0]).rows.data_ptr() == made.step([0]).rows.data_ptr()


def test_what_prompts_share_is_copied_between_slots() -> None:
    """A stream in another slot begins behind the voice, and its hidden state is the same bit for bit."""
    rows = expected("local")["clone.input_ids"].numpy()
    made, fresh = generator(prefill_chunk=32), generator(prefill_chunk=32)
    other = rows.copy()
    other[70:, 0] = 300
    for slot, these in ((0, other), (2, rows)):
        made.open(slot, SETTINGS["greedy.k8"])
        made.begin(slot, these, num_fixed=70)
        while not made.prefill(slot):
            pass
    fresh.open(2, SETTINGS["greedy.k8"])
    fresh.begin(2, rows, num_fixed=70)
    chunks = 1
    while not fresh.prefill(2):
        chunks += 1
    assert torch.equal(made.hidden[2], fresh.hidden[2])
    assert chunks == 5, "two and a rest before the border, one and a rest behind it"
    made.begin(3, rows, num_fixed=70)
    assert [made.prefill(3), made.prefill(3)] == [False, True]
    made.open(1, SETTINGS["greedy.k4"])
    made.begin(1, rows, num_fixed=70)
    assert not made.prefill(1) and made._slots[1].length == 32, "other codebooks, other rows"


def test_the_work_of_the_device_needs_no_tensor_of_the_host() -> None:
    """On a device that computes nothing, but refuses tensors of others: a prompt in chunks, and frames."""
    options = EngineOptions(max_streams=3, max_context=512, pack_weights=False)
    with torch.inference_mode():
        there = random_local(local_config(SHAPES["tiny"]), torch.device("meta"), torch.bfloat16, options)
    made, rows = FrameGenerator(there, options), np.zeros((300, 33), dtype=np.int64)
    made.open(1, SynthesisOptions(n_vq=4))
    made.begin(1, rows, num_fixed=40)
    assert [made.prefill(1) for _ in range(3)] == [False, False, True]
    assert [made.step([1]).rows.device.type for _ in range(2)] == ["meta"] * 2
    made.open(2, SynthesisOptions())
    made.begin(2, rows, num_fixed=40)
    assert not made.prefill(2), "behind what the prompts share"
