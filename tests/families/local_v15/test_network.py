from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from golden_data import CPU, expected, prefill
from local_v15_data import FOLDER, GREEDY, WAYS, V15Case, case, case_list, generator, model, prompts
from safetensors.torch import load_file, save_file
from torch import Tensor

from moss_stream.config import ChannelSampling, EngineOptions, SamplingOptions, SynthesisOptions
from moss_stream.errors import WeightsMismatch
from moss_stream.families.local_v15.load import load_local_v15
from moss_stream.nn.int8 import Int8Linear
from moss_stream.nn.qwen3 import causal_mask

CASES = case_list()
END, SLOT = 505, 507


def hidden(rows: Tensor) -> Tensor:
    """The backbone's states [T, width] after rows [T, 1 + Nq]."""
    m, length = model(), len(rows)
    positions = torch.arange(length)[None]
    with torch.inference_mode():
        mask, cache = causal_mask(positions, length), m.new_cache(1, length)
        return m.hidden(rows[None], m.config.n_vq, positions, cache, length, mask)[0]


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("which", CASES, ids=lambda each: each.name)
def test_golden_rows(which: V15Case, way: str) -> None:
    """Every row is the reference's, what the penalty does included; and where it ended, this ends."""
    wanted = expected("local_v15")[f"{which.name}.{way}"].numpy()
    made = generator()
    made.open(0, SynthesisOptions(sampling=WAYS[way]))
    prefill(made, prompts().build(which.message, which.prefix))
    rows = np.stack([made.step([0]).rows[0].numpy().copy() for _ in range(len(wanted) + 1)])
    np.testing.assert_array_equal(rows[:-1], wanted)
    if which.raw[way]["stopped_by"] == "audio_end":
        assert rows[-1, 0] == END


@pytest.mark.parametrize("which", CASES, ids=lambda each: each.name)
def test_golden_hidden_states(which: V15Case) -> None:
    """The backbone's last hidden states are the reference's."""
    wanted = expected("local_v15")[f"{which.name}.backbone_hidden"]
    rows = torch.from_numpy(prompts().build(which.message, which.prefix))
    torch.testing.assert_close(hidden(rows)[-4:], wanted, rtol=0, atol=1e-4)


def test_the_penalty_begins_anew_with_each_segment() -> None:
    """What was generated before counts no more than the prompt: the second run is the first again."""
    wanted = expected("local_v15")["direct.topk1_rp1.3"].numpy()
    made = generator()
    made.open(0, SynthesisOptions(sampling=WAYS["topk1_rp1.3"]))
    for _ in range(2):
        prefill(made, prompts().build(case("direct").message))
        rows = np.stack([made.step([0]).rows[0].numpy().copy() for _ in range(len(wanted))])
        np.testing.assert_array_equal(rows, wanted)


def test_streams_of_a_batch_do_not_hear_each_other() -> None:
    """Two golden runs in one batch are what each is alone; the reference's batch gives the same."""
    made, names = generator(max_streams=3), ("direct", "clone")
    for slot, name in zip((0, 2), names, strict=True):
        made.open(slot, SynthesisOptions(sampling=GREEDY))
        prefill(made, prompts().build(case(name).message), slot)
    rows = np.stack([made.step([0, 2]).rows[[0, 2]].numpy() for _ in range(13)], axis=1)
    for found, name in zip(rows, names, strict=True):
        np.testing.assert_array_equal(found, expected("local_v15")[f"{name}.greedy"][:13].numpy())


def test_a_seed_draws_the_same_alone_and_among_others() -> None:
    """Sampled rows do not depend on the company."""

    def rows(slots: list[int]) -> np.ndarray:
        made = generator(max_streams=4, fixed_batch=True)
        for slot in slots:
            made.open(slot, SynthesisOptions(seed=slot, sampling=SamplingOptions()))
            prefill(made, prompts().build(case("clone").message), slot)
        return np.stack([made.step(slots).rows[2].numpy().copy() for _ in range(8)])

    np.testing.assert_array_equal(rows([2]), rows([0, 1, 2, 3]))


def test_a_pad_has_no_embedding() -> None:
    """A row of text is the embedding of its id alone, bit for bit."""
    rows = expected("local_v15")["direct.input_ids"][None, :4]
    with torch.inference_mode():
        assert torch.equal(model().embed(rows)[0], model().text_embedding[rows[0, :, 0]])


def test_the_text_is_drawn_between_two_ids() -> None:
    """Greedy or not: one more frame, or the end."""
    made = generator()
    made.open(0, SynthesisOptions(sampling=SamplingOptions(text=ChannelSampling(temperature=10.0))))
    prefill(made, prompts().build(case("direct").message))
    said = {int(made.step([0]).rows[0, 0]) for _ in range(30)}
    assert said == {END, SLOT}


def test_a_head_for_all_ids_is_read_at_two_rows(tmp_path: Path) -> None:
    """`full_vocab` is the mode without a head of its own; tied heads may be in the file or not."""
    shutil.copytree(FOLDER, tmp_path, dirs_exist_ok=True)
    config = json.loads((FOLDER / "config.json").read_text(encoding="utf-8"))
    (tmp_path / "config.json").write_text(json.dumps({**config, "local_text_head_mode": "full_vocab"}))
    weights = load_file(FOLDER / "model.safetensors")
    text = weights["transformer.embed_tokens.weight"]
    del weights["local_text_lm_head.weight"]
    tied = {"text_lm_head.weight": text.clone()}
    tied |= {f"audio_lm_heads.{i}.weight": weights[f"audio_embeddings.{i}.weight"].clone() for i in range(6)}
    save_file(weights | tied, tmp_path / "model.safetensors")
    loaded = load_local_v15(tmp_path, CPU, torch.float32, EngineOptions())
    assert torch.equal(loaded.depth.text_head.weight, text[[SLOT, END]])


def test_missing_weights_are_named(tmp_path: Path) -> None:
    """As for every checkpoint, before anything is built."""
    shutil.copytree(FOLDER, tmp_path, dirs_exist_ok=True)
    weights = load_file(FOLDER / "model.safetensors")
    del weights["local_transformer.h.0.attn.c_attn.bias"]
    save_file(weights, tmp_path / "model.safetensors")
    with pytest.raises(WeightsMismatch, match=r"c_attn\.bias"):
        load_local_v15(tmp_path, CPU, torch.float32, EngineOptions())


def test_what_is_read_for_each_codebook_can_have_8_bits(monkeypatch: pytest.MonkeyPatch) -> None:
    """`depth_int8` rounds the depth transformer's matrices, biases aside, and the frame stays near."""
    monkeypatch.setattr("moss_stream.nn.int8.MIN_NUMEL", 1)
    rounded = load_local_v15(FOLDER, CPU, torch.float32, EngineOptions(depth_int8=True))
    assert all(isinstance(head, Int8Linear) for head in rounded.depth.heads)
    states = torch.randn(3, 96, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        ours, theirs = (m.depth.step(states, 0, m.depth.new_cache(3)) for m in (rounded, model()))
    assert 0 < (ours - theirs).abs().max() < 0.05 * theirs.abs().max()
