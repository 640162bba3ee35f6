"""Where each parameter of MossTTSLocal comes from in a checkpoint of the reference implementation."""

from __future__ import annotations

import torch

from moss_stream.checkpoint.plan import Plan, Weight
from moss_stream.families.local.config import LocalConfig
from moss_stream.nn.weights import gated_mlp, qwen3_stack

__all__ = ["local_weights"]


def local_weights(config: LocalConfig, text_rows: list[int] | None) -> Plan:
    """Name the tensors of MossTTSLocal; `text_rows` are the rows of the text head that are wanted."""
    language, depth = config.language_config, config.depth
    hidden, inner = language.hidden_size, config.additional_mlp_ffn_hidden_size
    codes = config.audio_vocab_size + 1
    plan: Plan = {
        "text_embedding": Weight({"model.embedding_list.0.weight": (language.vocab_size, hidden)}),
        "audio_embedding": Weight(
            {f"model.embedding_list.{i + 1}.weight": (codes, hidden) for i in range(config.n_vq)}, torch.stack
        ),
        **qwen3_stack("backbone", "model.language_model", language),
        **qwen3_stack("depth", "local_transformer", depth),
        **gated_mlp("depth.in_mlp", "speech_embedding_to_local_mlp", hidden, inner, depth.hidden_size),
    }
    for i in range(1 + config.n_vq):
        plan |= gated_mlp(
            f"depth.out_mlps.{i}", f"local_to_speech_embedding_mlps.{i}", depth.hidden_size, inner, hidden
        )
        plan[f"depth.out_norms.{i}.weight"] = Weight({f"layer_norm_before_lm_heads.{i}.weight": (hidden,)})
        size, rows = (codes, None) if i else (language.vocab_size, tuple(text_rows) if text_rows else None)
        plan[f"depth.heads.{i}.weight"] = Weight({f"lm_heads.{i}.weight": (size, hidden)}, rows=rows)
    return plan
