from __future__ import annotations

import json
from typing import Any

import pytest
from realtime_data import FOLDER

from moss_stream.errors import CorruptCheckpoint, UnsupportedModel
from moss_stream.families.realtime.config import RealtimeConfig

RAW: dict[str, Any] = json.loads((FOLDER / "config.json").read_text(encoding="utf-8"))


def test_the_golden_config_is_read() -> None:
    """Sizes from the file, and the marks that follow the codes."""
    config = RealtimeConfig.parse(RAW, "here")
    assert (config.rvq, config.audio_pad_token, config.bos_code, config.eos_code) == (6, 1024, 1025, 1026)
    assert config.local_config.num_hidden_layers == 2 and config.local_config.rope_theta == 1e6


@pytest.mark.parametrize(
    ("change", "what"),
    [
        ({"text_pad": 512}, "text_pad"),
        ({"reference_audio_pad": 600}, "reference_audio_pad"),
        ({"audio_vocab_size": 1026}, "audio_pad_token"),
        ({"rvq": None}, "rvq"),
        ({"local_config": None}, "local_config"),
        ({"local_config": {**RAW["local_config"], "hidden_size": 32}}, "hidden_size"),
    ],
)
def test_what_makes_no_sense_is_named(change: dict[str, Any], what: str) -> None:
    """Before anything is allocated."""
    with pytest.raises(CorruptCheckpoint, match=what):
        RealtimeConfig.parse({**RAW, **change}, "here")


@pytest.mark.parametrize("rope", [{"rope_type": "linear", "factor": 2.0}, {"rope_type": "yarn"}])
def test_positions_that_are_scaled_are_refused(rope: dict[str, Any]) -> None:
    """What would sound wrong is an error; a "linear" scaling by 1 is none."""
    local = {**RAW["local_config"], "rope_parameters": rope}
    with pytest.raises(UnsupportedModel, match="RoPE"):
        RealtimeConfig.parse({**RAW, "local_config": local}, "here")
