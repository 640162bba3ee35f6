from __future__ import annotations

import json
from typing import Any

import pytest
from local_v15_data import FOLDER

from moss_stream.errors import CorruptCheckpoint, UnsupportedModel
from moss_stream.families.local_v15.config import LocalV15Config

RAW: dict[str, Any] = json.loads((FOLDER / "config.json").read_text(encoding="utf-8"))
DEPTH: dict[str, Any] = RAW["gpt2_config"]


def test_the_golden_config_is_read() -> None:
    """Sizes from the file; a width that is not given is four times the rows'."""
    config = LocalV15Config.parse(RAW, "here")
    assert (config.n_vq, config.audio_pad_code, config.depth.head_dim, config.depth.n_inner) == (
        6,
        64,
        24,
        160,
    )
    assert config.depth.rope_base == 1e6 and config.language_config.rope_theta == 1e6
    plain = {**RAW, "gpt2_config": {**DEPTH, "n_inner": None}}
    assert LocalV15Config.parse(plain, "here").depth.n_inner == 4 * 96


def test_fields_have_two_spellings() -> None:
    """Either is enough; how many layers there are is said in two places, of which one counts."""
    second = {"language_config", "audio_pad_code", "audio_assistant_gen_slot_token_id"}
    raw = {name: value for name, value in RAW.items() if name not in second}
    raw["gpt2_config"] = {**DEPTH, "n_layer": 5}
    assert LocalV15Config.parse(raw, "here") == LocalV15Config.parse(RAW, "here")
    del raw["local_transformer_layers"]
    assert LocalV15Config.parse(raw, "here").depth.n_layer == 5
    raw["language_config"] = raw.pop("qwen3_config")
    assert LocalV15Config.parse(raw, "here").language_config.num_hidden_layers == 3


@pytest.mark.parametrize(
    ("change", "what"),
    [
        ({"audio_end_token_id": 512}, "audio_end_token_id"),
        ({"im_start_token_id": -1}, "im_start_token_id"),
        ({"audio_pad_code": 3}, "audio_pad_code"),
        ({"audio_codebook_sizes": [64] * 5}, "audio_codebook_sizes"),
        ({"audio_codebook_sizes": [64] * 5 + [32]}, "audio_codebook_sizes"),
        ({"tie_word_embeddings": False}, "tie_word_embeddings"),
        ({"sampling_rate": 24_000}, "sampling_rate"),
        ({"local_text_head_mode": "other"}, "local_text_head_mode"),
        ({"n_vq": None}, "n_vq"),
        ({"gpt2_config": 7}, "gpt2_config is not an object"),
        ({"gpt2_config": {**DEPTH, "n_embd": 48}}, "n_embd"),
        ({"gpt2_config": {**DEPTH, "n_head": 5}}, "n_head"),
        ({"gpt2_config": {**DEPTH, "n_embd": None, "n_inner": None}}, "n_inner"),
        ({"local_transformer_layers": 0}, "n_layer"),
    ],
)
def test_what_makes_no_sense_is_named(change: dict[str, Any], what: str) -> None:
    """Before anything is allocated."""
    with pytest.raises(CorruptCheckpoint, match=what):
        LocalV15Config.parse({**RAW, **change}, "here")


@pytest.mark.parametrize(
    "change",
    [
        {"position_embedding_type": "absolute"},
        {"activation_function": "gelu_new"},
        {"scale_attn_weights": False},
        {"scale_attn_by_inverse_layer_idx": True},
    ],
)
def test_a_depth_transformer_that_computes_otherwise_is_refused(change: dict[str, Any]) -> None:
    """What would sound wrong is an error."""
    with pytest.raises(UnsupportedModel, match="GPT-2 layers"):
        LocalV15Config.parse({**RAW, "gpt2_config": {**DEPTH, **change}}, "here")
