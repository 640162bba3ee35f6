from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from golden_data import CPU
from safetensors.torch import load_file

from moss_stream.config import EngineOptions
from moss_stream.families.local.load import load_local
from tests.training.test_speech import make
from training.card import model_card
from training.evaluate import growing_texts
from training.export import SHARD_BYTES, write_shards
from training.loudness import gains
from training.report import as_markdown, merge
from training.settings import VoiceSettings

SETTINGS = VoiceSettings.read(Path(__file__).parents[2] / "training" / "voice.toml")


def test_a_packaged_checkpoint_loads(tmp_path: Path) -> None:
    """Shards in half precision with their index load to the weights that were trained."""
    trained = make(tmp_path)
    write_shards(load_file(tmp_path / "model.safetensors"), tmp_path)
    (tmp_path / "model.safetensors").unlink()
    loaded = load_local(tmp_path, CPU, torch.float32, EngineOptions(text_head="full"))
    weight = trained.model.embedding_list[0].weight  # type: ignore[union-attr,index]
    torch.testing.assert_close(loaded.text_embedding, weight.detach(), atol=1e-3, rtol=1e-3)


def test_no_file_is_larger_than_a_shard(tmp_path: Path) -> None:
    """Large checkpoints are cut, nothing is lost, and the index finds every tensor."""
    tensors = {f"t{i}": torch.full((1000, 1000), float(i)) for i in range(10)}
    write_shards(tensors, tmp_path)
    index = json.loads((tmp_path / "model.safetensors.index.json").read_text())["weight_map"]
    assert set(index) == set(tensors) and len(set(index.values())) == 2
    assert all(file.stat().st_size < SHARD_BYTES + 10_000 for file in tmp_path.glob("*.safetensors"))
    assert all(load_file(tmp_path / index[name])[name][0, 0] == i for i, name in enumerate(tensors))


def test_what_half_precision_cannot_hold_is_refused(tmp_path: Path) -> None:
    """A weight that would become infinite stops the packaging."""
    with pytest.raises(ValueError, match="big"):
        write_shards({"big": torch.tensor([1e6])}, tmp_path)


def test_the_card_names_figures_and_licences(tmp_path: Path) -> None:
    """The figures of the last evaluation stand in the model card."""
    assert "Not evaluated" in model_card(tmp_path, SETTINGS)
    merge({"speech": {"WER of synthesis": 0.3125}}, tmp_path / "evaluation.json")
    card = model_card(tmp_path, SETTINGS)
    assert "| speech | WER of synthesis | 0.3125 |" in card and "licence" in card


def test_a_section_that_is_not_evaluated_again_stays(tmp_path: Path) -> None:
    """Evaluating one section keeps the figures of the others."""
    merge({"codec": {"wer": 0.5}, "speed": {"RTF": 0.3}}, tmp_path / "e.json")
    merged = merge({"speed": {"RTF": 0.2}}, tmp_path / "e.json")
    assert merged == {"codec": {"wer": 0.5}, "speed": {"RTF": 0.2}}
    assert as_markdown(merged).count("\n") == 3


def test_texts_grow_from_one_word_to_sixty() -> None:
    """Two hundred texts cover all lengths from one word to sixty."""
    texts = growing_texts(["One two three four five.", "Six seven eight."] * 20, 200)
    lengths = [len(text.split()) for text in texts]
    assert len(texts) == 200 and lengths == sorted(lengths) and (lengths[0], lengths[-1]) == (1, 60)


def test_gains_bring_voices_to_one_loudness_without_clipping() -> None:
    """The quietest voice stays as it is; one that clips sets the level by what it can be without."""
    assert gains({"quiet": (0.1, 0.5), "loud": (0.2, 0.9)}) == {"quiet": 1.0, "loud": 0.5}
    clipping = gains({"peaky": (0.1, 1.782), "calm": (0.1, 0.5)})
    assert clipping == {"peaky": 0.5, "calm": 0.5}
