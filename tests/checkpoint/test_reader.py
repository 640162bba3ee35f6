from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from golden_data import CPU, GOLDEN, codec, model
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from moss_stream.checkpoint.reader import OwnFormat, put
from moss_stream.codec.load import load_cat
from moss_stream.config import EngineOptions
from moss_stream.errors import CorruptCheckpoint, LoadError, ModelNotFound, WeightsMismatch
from moss_stream.families.local.load import load_local
from moss_stream.families.local.network import MossTTSLocal
from moss_stream.nn.int8 import Int8Linear

Edit = Callable[[dict[str, Tensor]], None]


def copy(tmp_path: Path, kind: str = "local", edit: Edit | None = None) -> Path:
    """Copy a golden checkpoint, with changed tensors."""
    folder = tmp_path / kind
    shutil.copytree(GOLDEN / kind, folder, ignore=shutil.ignore_patterns("expected*", "cases*"))
    if edit is not None:
        tensors = load_file(folder / "model.safetensors")
        edit(tensors)
        save_file(tensors, folder / "model.safetensors")
    return folder


def load(folder: Path, dtype: torch.dtype = torch.float32) -> MossTTSLocal:
    return load_local(folder, CPU, dtype, EngineOptions(text_head="full"))


def same(a: nn.Module, b: nn.Module) -> bool:
    pairs = zip(a.named_parameters(), b.named_parameters(), strict=True)
    return all(x[0] == y[0] and torch.equal(x[1], y[1]) for x, y in pairs)


def test_sharded_files_load_like_one(tmp_path: Path) -> None:
    """A checkpoint in several files with an index gives the same weights."""
    folder = copy(tmp_path)
    tensors = load_file(folder / "model.safetensors")
    names = sorted(tensors)
    shards = {"a.safetensors": names[::2], "b.safetensors": names[1::2]}
    for file, part in shards.items():
        save_file({name: tensors[name] for name in part}, folder / file)
    (folder / "model.safetensors").unlink()
    index = {"weight_map": {name: file for file, part in shards.items() for name in part}}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))
    assert same(load(folder), model())
    (folder / "b.safetensors").unlink()
    with pytest.raises(ModelNotFound, match=r"b\.safetensors"):
        load(folder)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_half_precision(dtype: torch.dtype) -> None:
    """Weights are converted to the wanted format when they are read."""
    half = load(GOLDEN / "local", dtype)
    assert {p.dtype for p in half.parameters()} == {dtype}
    torch.testing.assert_close(half.text_embedding, model().text_embedding.to(dtype))


def test_the_pair_head_is_two_rows_of_the_full_one() -> None:
    """text_head="pair" loads the rows of the two ids it chooses between."""
    pair = load_local(GOLDEN / "local", CPU, torch.float32, EngineOptions(text_head="pair"))
    assert pair.pair == [505, 507]
    rows, full = (m.get_parameter("depth.heads.0.weight") for m in (pair, model()))
    assert torch.equal(rows, full[[505, 507]])


def test_older_spellings_of_the_codec(tmp_path: Path) -> None:
    """weight_g, weight_v and in_proj.weight, as older exports write them, load alike."""

    def rename(tensors: dict[str, Tensor]) -> None:
        for name in list(tensors):
            old = name.replace("parametrizations.weight.original0", "weight_g")
            old = old.replace("parametrizations.weight.original1", "weight_v")
            old = old.replace("self_attn.in_projs.0.weight", "self_attn.in_proj_weight")
            tensors[old.replace("self_attn.out_projs.0.", "self_attn.out_proj.")] = tensors.pop(name)

    assert same(load_cat(copy(tmp_path, "cat", rename), CPU, EngineOptions()), codec())


def test_the_unused_embedding_may_be_missing(tmp_path: Path) -> None:
    """The reference never uses the backbone's own embedding, so a checkpoint without it is whole."""

    def remove(tensors: dict[str, Tensor]) -> None:
        del tensors["model.language_model.embed_tokens.weight"]

    folder = copy(tmp_path, edit=remove)
    assert same(load(folder), model())


def test_all_mismatches_are_in_one_error(tmp_path: Path) -> None:
    """What is missing, unknown and of another shape is listed together."""

    def spoil(tensors: dict[str, Tensor]) -> None:
        del tensors["lm_heads.3.weight"]
        tensors["talker.weight"] = torch.zeros(2)
        tensors["local_transformer.norm.weight"] = torch.zeros(7)

    with pytest.raises(WeightsMismatch) as caught:
        load(copy(tmp_path, edit=spoil))
    assert caught.value.missing == ["lm_heads.3.weight"]
    assert caught.value.unexpected == ["talker.weight"]
    assert caught.value.wrong_shape == ["local_transformer.norm.weight: [7] instead of [64]"]
    for name in ("lm_heads.3.weight", "talker.weight", "[7] instead of [64]"):
        assert name in str(caught.value)


def test_a_layer_may_keep_its_weight_in_its_own_format() -> None:
    """It is asked to; what else it has is put where it belongs."""
    kept = nn.Sequential(Int8Linear(nn.Linear(8, 4, device="meta")), nn.Linear(4, 4, device="meta"))
    assert isinstance(kept[0], OwnFormat) and not isinstance(kept[1], OwnFormat)
    for name, parameter in list(kept.named_parameters()):
        put(kept, name, torch.full(parameter.shape, 0.5))
    assert kept[0].weight.dtype == torch.int8 and kept.get_parameter("0.weight").unique().tolist() == [127]
    assert kept[1](kept[0](torch.ones(1, 8))).tolist() == [[9.5] * 4]


def truncate(folder: Path) -> None:
    data = (folder / "model.safetensors").read_bytes()
    (folder / "model.safetensors").write_bytes(data[: len(data) // 2])


def break_header(folder: Path) -> None:
    data = bytearray((folder / "model.safetensors").read_bytes())
    data[20:60] = b"\xff" * 40
    (folder / "model.safetensors").write_bytes(data)


def break_values(folder: Path) -> None:
    data = bytearray((folder / "model.safetensors").read_bytes())
    data[-4000:] = b"\xff" * 4000
    (folder / "model.safetensors").write_bytes(data)


def an_infinity(folder: Path) -> None:
    tensors = load_file(folder / "model.safetensors")
    tensors["lm_heads.3.weight"][5, 7] = torch.inf
    save_file(tensors, folder / "model.safetensors")


@pytest.mark.parametrize("damage", [truncate, break_header, break_values, an_infinity])
def test_a_damaged_file_is_named(tmp_path: Path, damage: Callable[[Path], None]) -> None:
    """A truncated or overwritten weights file is an error that names the file."""
    folder = copy(tmp_path)
    damage(folder)
    with pytest.raises(CorruptCheckpoint, match=r"model\.safetensors.*[Dd]ownload"):
        load(folder)


@pytest.mark.parametrize("file", ["config.json", "model.safetensors"])
def test_a_missing_file_is_named(tmp_path: Path, file: str) -> None:
    """A folder without config or weights says what it lacks."""
    folder = copy(tmp_path)
    (folder / file).unlink()
    with pytest.raises(ModelNotFound, match=file):
        load(folder)


def test_every_load_error_is_a_load_error() -> None:
    """One except clause catches all of them."""
    assert all(issubclass(kind, LoadError) for kind in (CorruptCheckpoint, ModelNotFound, WeightsMismatch))


MEASURE = """
import resource, sys, torch
from pathlib import Path
from moss_stream.config import EngineOptions
from moss_stream.families.local.load import load_local
device, wants = torch.device(sys.argv[3]), EngineOptions(backbone_int8=sys.argv[4] == "True")
load_local(Path(sys.argv[2]), device, torch.bfloat16, wants)
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
model = load_local(Path(sys.argv[1]), device, torch.bfloat16, wants)
print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * 1024)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="ru_maxrss has other units elsewhere")
@pytest.mark.parametrize(
    ("device", "backbone_int8", "most"), [("cpu", False, 1.3), ("cpu", True, 0.95), ("meta", False, 0.4)]
)
def test_loading_takes_little_memory(tmp_path: Path, device: str, backbone_int8: bool, most: float) -> None:
    """At its peak some more than the checkpoint on the CPU, less with 8 bits; a matrix for another device."""
    from benchmarks.checkpoints import write_checkpoint
    from benchmarks.shapes import Shape

    # Two backbone layers for each depth step, like a large model; 200 MB.
    shape = Shape((8, 768, 2304), (2, 512, 1536), (6, 3, 128), 512, (), vocab=16_000, num_codebooks=16)
    size = write_checkpoint(shape, tmp_path, shard_bytes=64_000_000)
    run = [sys.executable, "-c", MEASURE, str(tmp_path), str(GOLDEN / "local"), device, str(backbone_int8)]
    peak = int(subprocess.run(run, check=True, capture_output=True, text=True).stdout)
    assert size > 150e6 and len(list(tmp_path.glob("*.safetensors"))) > 2
    assert peak < most * size, peak / size
