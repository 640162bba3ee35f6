"""Checkpoints with anything in their files: each fault is a LoadError with a sentence, before it costs."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from golden_data import GOLDEN
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from moss_stream.config import EngineOptions
from moss_stream.engine.load import load_engine
from moss_stream.engine.speech_engine import SpeechEngine
from moss_stream.errors import AudioError, CorruptCheckpoint, LoadError, TextError
from moss_stream.text.message import Message

OPTIONS = EngineOptions(max_streams=1, max_context=256, compiled=False)
IGNORED = shutil.ignore_patterns("expected*", "cases*")
PAIRS = ("local", "cat"), ("local_v15", "cat_v2")
KINDS = [kind for pair in PAIRS for kind in pair]


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    made = tmp_path_factory.mktemp("checkpoints")
    for kind in KINDS:
        shutil.copytree(GOLDEN / kind, made / kind, ignore=IGNORED)
    return {kind: made / kind for kind in KINDS}


def load(folders: dict[str, Path], kind: str = "local") -> SpeechEngine:
    """Load a checkpoint, and the one that it belongs with."""
    model, codec = next(pair for pair in PAIRS if kind in pair)
    return load_engine(folders[model], folders[codec], "cpu", "float32", OPTIONS)


def paths(value: Any, at: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    """All places in a config, lists and objects too."""
    if at:
        yield at
    if isinstance(value, dict | list):
        items = value.items() if isinstance(value, dict) else enumerate(value)
        for key, inner in items:
            yield from paths(inner, (*at, key))


def changed(value: Any, at: tuple[str | int, ...], new: Any) -> Any:
    copy = json.loads(json.dumps(value))
    inner = copy
    for key in at[:-1]:
        inner = inner[key]
    inner[at[-1]] = new
    return copy


CONFIGS = {kind: json.loads((GOLDEN / kind / "config.json").read_text()) for kind in KINDS}
PLACES = [(kind, at) for kind in KINDS for at in paths(CONFIGS[kind])]
BAD = st.one_of(
    st.sampled_from([None, True, False, 0, -1, 1, 2, 3, 10**9, 2**31, 2**63, 10**400, -(2**63)]),
    st.sampled_from([0.0, -0.5, 1e-300, 1e308, 2.5, "256", "", "x" * 5000, [], {}, [[[]]], {"a": {}}]),
    st.integers(-5, 5000),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(max_size=5),
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(place=st.sampled_from(PLACES), new=BAD)
def test_whatever_a_config_says(
    folders: dict[str, Path], place: tuple[str, tuple[str | int, ...]], new: Any
) -> None:
    """It loads, or it is a LoadError; nothing is allocated for sizes that the files do not have."""
    kind, at = place
    file = folders[kind] / "config.json"
    try:
        file.write_text(json.dumps(changed(CONFIGS[kind], at, new)))
        load(folders, kind)
    except LoadError as error:
        assert len(str(error)) < 5_000
    finally:
        file.write_text(json.dumps(CONFIGS[kind]))


@pytest.mark.parametrize(
    ("kind", "at", "new"),
    [
        ("local", ("language_config", "num_hidden_layers"), 1_000_000_000),
        ("local", ("language_config", "num_hidden_layers"), 400),
        ("local", ("language_config", "num_attention_heads"), 3),
        ("local", ("language_config", "head_dim"), 31),
        ("local", ("language_config", "hidden_size"), -96),
        ("local", ("language_config", "hidden_size"), True),
        ("local", ("language_config", "hidden_size"), "96"),
        ("local", ("language_config", "hidden_size"), 96.5),
        ("local", ("language_config", "hidden_size"), 200_000),
        ("local", ("language_config",), [1, 2]),
        ("local", ("audio_end_token_id",), 512),
        ("local", ("audio_pad_code",), 65),
        ("cat", ("decoder_kwargs", 0, "num_layers"), 1_000_000_000),
        ("cat", ("decoder_kwargs", 0, "num_heads"), 5),
        ("cat", ("decoder_kwargs", 1, "patch_size"), 3),
        ("cat", ("causal_transformer_context_duration",), 1e9),
        ("cat", ("quantizer_kwargs", "num_quantizers"), 500),
        ("local_v15", ("gpt2_config", "n_inner"), 200_000),
        ("local_v15", ("local_transformer_layers",), 400),
        ("local_v15", ("audio_assistant_gen_slot_token_id",), 512),
        ("cat_v2", ("decoder_kwargs", 0, "context_duration"), 1e9),
        ("cat_v2", ("downsample_rate",), 1920),
    ],
)
def test_sizes_that_are_not_there(folders: dict[str, Path], kind: str, at: tuple[Any, ...], new: Any) -> None:
    """Huge, negative, of another type, and such as do not divide."""
    file = folders[kind] / "config.json"
    try:
        file.write_text(json.dumps(changed(CONFIGS[kind], at, new)))
        with pytest.raises(LoadError, match=r"config\.json"):
            load(folders, kind)
    finally:
        file.write_text(json.dumps(CONFIGS[kind]))


@pytest.mark.parametrize(
    "weight_map",
    [
        None,
        [],
        {},
        "a",
        {"a": 1},
        {"a": None},
        {"a": {"b": 1}},
        {"a": ["x"]},
        {"a": "../local/model.safetensors"},
        {"a": "/etc/passwd"},
        {"a": "."},
    ],
    ids=str,
)
def test_an_index_that_is_damaged_or_points_elsewhere(folders: dict[str, Path], weight_map: Any) -> None:
    """The weights of a checkpoint are files of its own folder."""
    index = folders["local"] / "model.safetensors.index.json"
    try:
        index.write_text(json.dumps({"weight_map": weight_map}))
        with pytest.raises(CorruptCheckpoint, match="weight_map"):
            load(folders)
    finally:
        index.unlink()


SIDE_FILES = "tokenizer.json", "tokenizer_config.json", "chat_template.jinja", "processor_config.json"


@pytest.mark.parametrize("name", [*SIDE_FILES, "sampling.json", "voices.json"])
@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\xff\xfe",
        b"[]",
        b"{",
        b'{"a": 1}',
        b"[" * 100_000,
        b"{{ 1 / 0 }}",
        b"{% for %}",
        b'{"a": {"codes": [[1e99]]}}',
    ],
    ids=lambda value: value[:9].decode("latin-1"),
)
def test_whatever_the_other_files_hold(folders: dict[str, Path], name: str, content: bytes) -> None:
    """A LoadError when it is loaded, or an error of the first prompt that names the folder."""
    file = folders["local"] / name
    before = file.read_bytes() if file.is_file() else None
    try:
        file.write_bytes(content)
        try:
            load(folders).prompt(Message(text="Hello."), None)
        except (LoadError, TextError) as error:
            assert str(folders["local"]) in str(error) or "template" in str(error) or "too long" in str(error)
    finally:
        file.unlink()
        if before is not None:
            file.write_bytes(before)


@pytest.mark.parametrize("code", [-1, 65, 10**12])
def test_codes_of_a_voice_that_the_model_has_not(folders: dict[str, Path], code: int) -> None:
    """They would be looked up outside of the tables."""
    voice = np.full((5, 8), code)
    with pytest.raises(AudioError, match="codes that are not from 0 to 63"):
        load(folders).prompt(Message(text="Hello.", reference=[voice]), None)
