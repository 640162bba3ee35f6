"""Where each parameter of MossTTSDelay comes from in a checkpoint of the reference implementation."""

from __future__ import annotations

import torch

from moss_stream.checkpoint.plan import Plan, Weight
from moss_stream.families.delay.config import DelayConfig
from moss_stream.nn.weights import qwen3_stack

__all__ = ["delay_weights"]


def delay_weights(config: DelayConfig) -> Plan:
    """Name the tensors of MossTTSDelay; the rows of the text head that audio needs are kept twice."""
    language, codes = config.language_config, config.audio_vocab_size + 1
    text, hidden = (language.vocab_size, language.hidden_size), language.hidden_size
    pair = sorted([config.audio_assistant_gen_slot_token_id, config.audio_assistant_delay_slot_token_id])
    embeddings = {f"emb_ext.{i}.weight": (codes, hidden) for i in range(config.n_vq)}
    heads = {f"lm_heads.{i + 1}.weight": (codes, hidden) for i in range(config.n_vq)}
    return {
        "text_embedding": Weight({"language_model.embed_tokens.weight": text}),
        "audio_embedding": Weight(embeddings, torch.stack),
        **qwen3_stack("backbone", "language_model", language),
        "text_head.weight": Weight({"lm_heads.0.weight": text}),
        "slot_head.weight": Weight({"lm_heads.0.weight": text}, rows=tuple(pair)),
        "code_heads.weight": Weight(heads, torch.cat),
    }
