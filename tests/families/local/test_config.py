from __future__ import annotations

import json
from typing import Any

import pytest
from golden_data import GOLDEN

from moss_stream.codec.config import CatConfig
from moss_stream.errors import CorruptCheckpoint, UnsupportedModel
from moss_stream.families.local.config import LocalConfig

LOCAL: dict[str, Any] = json.loads((GOLDEN / "local" / "config.json").read_text(encoding="utf-8"))
CAT: dict[str, Any] = json.loads((GOLDEN / "cat" / "config.json").read_text(encoding="utf-8"))


def test_the_golden_configs_are_read() -> None:
    """Sizes and rates come from the file."""
    local, cat = LocalConfig.parse(LOCAL, "here"), CatConfig.parse(CAT, "here")
    assert (local.n_vq, local.depth.hidden_size, local.language_config.rope_theta) == (8, 64, 1_000_000)
    assert (cat.quantizer_kwargs.num_quantizers, len(cat.decoder_kwargs)) == (8, 8)


def test_ropes_base_in_its_older_place() -> None:
    """A config that writes rope_theta beside the layers is read alike."""
    language = {k: v for k, v in LOCAL["language_config"].items() if k != "rope_parameters"} | {
        "rope_theta": 5e5
    }
    assert LocalConfig.parse({**LOCAL, "language_config": language}, "here").language_config.rope_theta == 5e5


DELAY = {k: v for k, v in LOCAL.items() if not k.startswith("local_")}


@pytest.mark.parametrize(
    "change",
    [
        {"rope_parameters": {"rope_type": "yarn", "rope_theta": 1e6}},
        {"attention_bias": True},
        {"use_sliding_window": True},
        {"hidden_act": "gelu"},
    ],
)
def test_a_backbone_that_computes_otherwise_is_refused(change: dict[str, Any]) -> None:
    """What would sound wrong is an error, not a wrong sound."""
    with pytest.raises(UnsupportedModel, match="uses"):
        LocalConfig.parse({**LOCAL, "language_config": {**LOCAL["language_config"], **change}}, "here")


@pytest.mark.parametrize("name", ["rope_parameters", "rope_scaling"])
@pytest.mark.parametrize("value", ["x", [1], 7, True])
def test_a_part_that_is_no_object_is_refused(name: str, value: object) -> None:
    """It would be passed over otherwise, and the model would sound wrong."""
    with pytest.raises(CorruptCheckpoint, match=f"{name} is not an object"):
        LocalConfig.parse({**LOCAL, "language_config": {**LOCAL["language_config"], name: value}}, "here")


def test_a_missing_field_is_named() -> None:
    """A config without a needed field says which."""
    with pytest.raises(CorruptCheckpoint, match="audio_vocab_size"):
        LocalConfig.parse({k: v for k, v in LOCAL.items() if k != "audio_vocab_size"}, "here")


def test_a_codec_that_is_not_ours_is_named() -> None:
    """A speech model as codec, a codec of another rate and another quantizer are told apart."""
    with pytest.raises(UnsupportedModel, match="not a codec"):
        CatConfig.parse(LOCAL, "here")
    with pytest.raises(UnsupportedModel, match="44100 Hz and 1 channel.*24 kHz mono.*48 kHz stereo"):
        CatConfig.parse({**CAT, "sampling_rate": 44_100}, "here")
    with pytest.raises(UnsupportedModel, match="48000 Hz and 1 channel"):
        CatConfig.parse({**CAT, "sampling_rate": 48_000}, "here")
    with pytest.raises(CorruptCheckpoint, match="quantizer_type"):
        CatConfig.parse(
            {**CAT, "quantizer_kwargs": {**CAT["quantizer_kwargs"], "quantizer_type": "rvq"}}, "here"
        )
