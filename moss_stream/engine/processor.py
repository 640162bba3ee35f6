"""What the CPU has, and what is used of it: two lines of `moss-stream doctor`."""

from __future__ import annotations

import platform
from collections.abc import Mapping
from typing import Any

import torch

from moss_stream.errors import ConfigError
from moss_stream.nn.int8 import try_int8
from moss_stream.nn.packing import why_plain

__all__ = ["describe_features", "describe_weights"]

X86 = {"avx2": "AVX2", "avx512_f": "AVX-512", "avx512_bf16": "bf16", "amx_tile": "AMX"}
ARM = {"neon": "NEON", "bf16": "bf16", "i8mm": "i8mm", "sve": "SVE"}
# What PyTorch on x86 can be asked before it has `get_capabilities`.
QUESTIONS = {
    "avx2": "_is_avx2_supported",
    "avx512_f": "_is_avx512_supported",
    "avx512_bf16": "_is_avx512_bf16_supported",
    "amx_tile": "_is_amx_tile_supported",
}


def describe_features() -> str:
    """Return the CPU's name, which vector instructions it has and lacks, and which PyTorch uses."""
    found, names = _capabilities(), ARM if _is_arm() else X86
    has = [name for key, name in names.items() if found.get(key)]
    lacks = [name for key, name in names.items() if not found.get(key)]
    name = found.get("cpu_name") or platform.processor() or platform.machine()
    parts = f"has {', '.join(has) or 'none'}" + (f"; lacks {', '.join(lacks)}" if lacks else "")
    return f"{name}: {parts}; PyTorch computes with {torch.backends.cpu.get_cpu_capability()}"


def describe_weights() -> str:
    """Return how large weight matrices are kept in each dtype, as tried here."""
    reasons = {
        str(d).removeprefix("torch."): why_plain(d) for d in (torch.float32, torch.bfloat16, torch.float16)
    }
    kept = [f"{name} {'packed' if reason is None else 'plain'}" for name, reason in reasons.items()]
    return ", ".join([*kept, f"int8 {'works' if _has_int8() else 'is not there'}"])


def _has_int8() -> bool:
    try:
        try_int8(torch.device("cpu"), torch.float32, "int8")
    except ConfigError:
        return False
    return True


def _capabilities() -> Mapping[str, Any]:
    if hasattr(torch.cpu, "get_capabilities"):
        found: Mapping[str, Any] = torch.cpu.get_capabilities()
        return found
    if _is_arm():
        # Every 64-bit Arm has NEON; of the rest that PyTorch can be asked for bf16 alone.
        return {"neon": True, "bf16": why_plain(torch.bfloat16) is None}
    return {key: getattr(torch.cpu, name, bool)() for key, name in QUESTIONS.items()}


def _is_arm() -> bool:
    return platform.machine().lower() in ("arm64", "aarch64")
