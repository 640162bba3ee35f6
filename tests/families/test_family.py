from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from golden_data import GOLDEN

from moss_stream.config import ChannelSampling
from moss_stream.errors import ModelNotFound, UnsupportedModel
from moss_stream.families.family import FAMILIES, find

DELAY = {"model_type": "moss_tts_delay", "architectures": ["MossTTSDelayModel"]}


def written(folder: Path, config: dict[str, Any]) -> Path:
    (folder / "config.json").write_text(json.dumps(config))
    return folder


def test_a_checkpoint_is_found_by_its_config() -> None:
    """Local says that it is a Delay model; its depth transformer gives it away."""
    found = find(GOLDEN / "local")
    assert (found.num_codebooks, found.codebook_size) == (8, 64)
    assert found.backbone.num_hidden_layers == 3
    found = find(GOLDEN / "delay_half")
    assert (found.num_codebooks, found.codebook_size) == (4, 64)
    found = find(GOLDEN / "local_v15")
    assert (found.num_codebooks, found.codebook_size, found.codec.channels) == (6, 64, 2)
    assert found.sampling.text == ChannelSampling(temperature=1.0, top_p=1.0, top_k=50)
    found = find(GOLDEN / "realtime")
    assert (found.num_codebooks, found.codebook_size) == (6, 1024)
    assert found.sampling.audio == ChannelSampling(
        temperature=0.8, top_p=0.6, top_k=30, repetition_penalty=1.1
    )


def test_which_families_read_ipa_and_pinyin() -> None:
    """As their makers say."""
    read = {name: find(GOLDEN / name).reads_phonetics for name in ("local", "local_v15", "delay", "realtime")}
    assert read == {"local": True, "local_v15": True, "delay": True, "realtime": False}


@pytest.mark.parametrize(
    ("config", "name"),
    [
        ({**DELAY, "local_num_layers": 4}, "Delay"),
        ({"model_type": "moss_tts_nano"}, "Nano"),
        ({"model_type": "speech_tokenizer"}, "codec"),
        ({"model_type": "llama", "architectures": ["LlamaForCausalLM"]}, "LlamaForCausalLM"),
        ({"model_type": 7, "architectures": {}}, "unknown"),
        ({}, "unknown"),
    ],
)
def test_others_are_named_with_what_is_supported(tmp_path: Path, config: dict[str, Any], name: str) -> None:
    """The message says what it is, and is made from the families that there are."""
    with pytest.raises(UnsupportedModel, match=name) as caught:
        find(written(tmp_path, config))
    assert all(family.name in str(caught.value) for family in FAMILIES)
    assert str(tmp_path) in str(caught.value)


def test_an_error_names_what_was_asked_for(tmp_path: Path) -> None:
    """A repository, where that is what the user typed."""
    with pytest.raises(UnsupportedModel, match="^org/model is "):
        find(written(tmp_path, {}), "org/model")


def test_a_folder_without_a_config_is_no_checkpoint(tmp_path: Path) -> None:
    """It says what a checkpoint's folder holds."""
    with pytest.raises(ModelNotFound, match="config.json"):
        find(tmp_path)
