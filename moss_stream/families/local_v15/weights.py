"""Where each parameter of MossTTSLocal v1.5 comes from in a checkpoint of the reference implementation."""

from __future__ import annotations

import re

import torch
import torch.nn.functional as F
from torch import Tensor

from moss_stream.checkpoint.plan import Plan, Weight
from moss_stream.families.local_v15.config import LocalV15Config
from moss_stream.families.local_v15.network import text_choices
from moss_stream.nn.weights import gpt2_stack, qwen3_stack

__all__ = ["is_ignored", "local_v15_weights"]


def local_v15_weights(config: LocalV15Config) -> Plan:
    """Name the tensors of MossTTSLocal v1.5."""
    language = config.language_config
    width, text = language.hidden_size, (language.vocab_size, language.hidden_size)
    codes = {f"audio_embeddings.{i}.weight": (config.audio_vocab_size, width) for i in range(config.n_vq)}
    if config.local_text_head_mode == "binary":
        head = Weight({"local_text_lm_head.weight": (2, width)})
    else:  # two rows of the whole head, which is the text embedding
        head = Weight({"transformer.embed_tokens.weight": text}, rows=text_choices(config))
    return {
        "text_embedding": Weight({"transformer.embed_tokens.weight": text}),
        "audio_embedding": Weight(codes, _with_pad),
        **qwen3_stack("backbone", "transformer", language),
        **gpt2_stack("depth", "local_transformer", config.depth),
        "depth.text_head.weight": head,
    }


def _with_pad(codebooks: list[Tensor]) -> Tensor:
    """Stack codebooks [V, hidden], with a row of zeros for the pad."""
    return F.pad(torch.stack(codebooks), (0, 0, 0, 1))


def is_ignored(name: str) -> bool:
    """Heads are tied to the embeddings, so that they may be there twice; rotary tables are made anew."""
    return bool(re.fullmatch(r"(text_lm_head|audio_lm_heads\.\d+)\.weight|.*rotary_emb\.inv_freq", name))
