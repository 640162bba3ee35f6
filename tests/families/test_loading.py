"""What every family shares when it is loaded: weights of 8 bits, rounded one by one."""

from __future__ import annotations

import pytest
import torch
from golden_data import CPU, GOLDEN
from torch import nn

from moss_stream.config import EngineOptions
from moss_stream.errors import ConfigError
from moss_stream.families.family import find
from moss_stream.families.row_network import RowNetwork
from moss_stream.nn import int8
from moss_stream.nn.int8 import Int8Linear

FAMILIES = ("local", "realtime", "delay", "local_v15")


def load(kind: str, device: torch.device = CPU, backbone: bool = False, depth: bool = False) -> RowNetwork:
    options = EngineOptions(pack_weights=False, backbone_int8=backbone, depth_int8=depth)
    network = find(GOLDEN / kind).network(device, torch.float32, options)
    assert isinstance(network, RowNetwork)
    return network


def rounded(*modules: nn.Module) -> list[Int8Linear]:
    return [part for module in modules for part in module.modules() if isinstance(part, Int8Linear)]


@pytest.mark.parametrize("kind", FAMILIES)
def test_backbone_and_depth_are_rounded_apart(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Off unless asked for; of the backbone four matrices a layer, each the rounded plain one."""
    monkeypatch.setattr(int8, "MIN_NUMEL", 1)
    plain, ours = load(kind), load(kind, backbone=True)
    assert not rounded(plain)
    assert len(rounded(ours)) == len(rounded(ours.backbone)) == 4 * len(ours.backbone.layers)
    for name, part in plain.backbone.named_modules():
        if isinstance(part, nn.Linear):
            there = ours.backbone.get_submodule(name)
            assert isinstance(there, Int8Linear) and torch.equal(there.weight, Int8Linear(part).weight)
    if kind != "delay":
        rest = load(kind, depth=True)
        assert rounded(rest) == rounded(*rest.each_codebook()) and not rounded(rest.backbone)
        parts = [part for module in rest.each_codebook() for part in module.modules()]
        assert rounded(rest) and not any(isinstance(part, nn.Linear) for part in parts)


def test_a_model_without_a_depth_transformer_says_so() -> None:
    """And what there is instead."""
    with pytest.raises(ConfigError, match=r"depth_int8=True: this model has no depth.*backbone_int8=True"):
        load("delay", depth=True)


@pytest.mark.parametrize("kind", FAMILIES)
def test_any_device_is_filled(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing of a rounded model is left behind on the host."""
    monkeypatch.setattr(int8, "MIN_NUMEL", 1)
    there = load(kind, torch.device("meta"), backbone=True, depth=kind != "delay")
    tensors = [*there.parameters(), *(part.scale for part in rounded(there))]
    assert {tensor.device.type for tensor in tensors} == {"meta"}
