"""Where each parameter of MOSS-TTS-Realtime comes from in a checkpoint of the reference implementation."""

from __future__ import annotations

import torch

from moss_stream.checkpoint.plan import Plan, Weight
from moss_stream.families.realtime.config import RealtimeConfig
from moss_stream.nn.weights import qwen3_stack

__all__ = ["is_ignored", "realtime_weights"]


def realtime_weights(config: RealtimeConfig) -> Plan:
    """Name the tensors of MOSS-TTS-Realtime."""
    language, local = config.language_config, config.local_config
    hidden, size, count = language.hidden_size, config.audio_vocab_size, config.rvq
    codes = {f"local_transformer.model.embed_tokens.{i}.weight": (size, hidden) for i in range(count - 1)}
    plan: Plan = {
        "text_embedding": Weight({"embed_tokens.0.weight": (language.vocab_size, hidden)}),
        "audio_embedding": Weight(
            {f"embed_tokens.{i + 1}.weight": (size, hidden) for i in range(count)}, torch.stack
        ),
        "depth.code_embedding": Weight(codes, torch.stack),
        **qwen3_stack("backbone", "language_model", language),
        **qwen3_stack("depth", "local_transformer.model", local),
    }
    for i in range(count):
        source = f"local_transformer.local_lm_heads.{i}.weight"
        plan[f"depth.heads.{i}.weight"] = Weight({source: (size, hidden)})
    return plan


def is_ignored(name: str) -> bool:
    """The reference keeps an embedding table that its network does not read, and rotary tables."""
    return name == "language_model.embed_tokens.weight" or name.endswith("rotary_emb.inv_freq")
