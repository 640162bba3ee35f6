from __future__ import annotations

import platform

import pytest
import torch

from moss_stream.engine import processor
from moss_stream.engine.processor import describe_features, describe_weights


def test_a_cpu_with_avx2_alone_is_told_from_a_larger_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is there and what is missing are both said, and what PyTorch makes of it."""
    monkeypatch.setattr(platform, "machine", lambda: "x86_64")
    found = {"avx2": True, "avx512_f": False, "cpu_name": "An older one"}
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: found, raising=False)
    said = describe_features()
    assert said.startswith("An older one: has AVX2; lacks AVX-512, bf16, AMX; PyTorch computes with ")
    assert said.endswith(torch.backends.cpu.get_cpu_capability())
    found.update(avx512_f=True, avx512_bf16=True, amx_tile=True)
    assert "has AVX2, AVX-512, bf16, AMX; PyTorch" in describe_features()


def test_an_arm_cpu_has_features_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    """NEON is always there."""
    monkeypatch.setattr(platform, "machine", lambda: "arm64")
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"neon": True, "i8mm": True}, raising=False)
    assert "has NEON, i8mm; lacks bf16, SVE" in describe_features()


@pytest.mark.parametrize(("machine", "has"), [("x86_64", "has AVX2;"), ("aarch64", "has NEON")])
def test_an_older_pytorch_is_asked_one_by_one(
    machine: str, has: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before PyTorch listed what a CPU has, it answered for each."""
    monkeypatch.setattr(platform, "machine", lambda: machine)
    monkeypatch.delattr(torch.cpu, "get_capabilities", raising=False)
    for key, question in processor.QUESTIONS.items():
        monkeypatch.setattr(torch.cpu, question, lambda key=key: key == "avx2", raising=False)
    assert has in describe_features()


def test_each_dtype_is_said_to_be_packed_or_plain(monkeypatch: pytest.MonkeyPatch) -> None:
    """As it was tried, not as the CPU's name suggests."""
    reasons = {torch.float32: None, torch.bfloat16: "needs avx512", torch.float16: "needs avx512"}
    monkeypatch.setattr(processor, "why_plain", reasons.__getitem__)
    assert describe_weights() == "float32 packed, bfloat16 plain, float16 plain, int8 works"


def test_a_pytorch_without_8_bits_is_found_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """`depth_int8` would be refused there."""

    def missing(*args: object) -> None:
        raise NotImplementedError("no such product")

    monkeypatch.setattr(torch, "_weight_int8pack_mm", missing)
    assert describe_weights().endswith("int8 is not there")
