"""Where the parameters of Qwen3 layers come from in a checkpoint."""

from __future__ import annotations

import torch

from moss_stream.checkpoint.plan import Plan, Weight
from moss_stream.nn.config import Gpt2Config, TransformerConfig

__all__ = ["gated_mlp", "gpt2_stack", "qwen3_stack"]


def gated_mlp(ours: str, theirs: str, inputs: int, inner: int, outputs: int) -> Plan:
    """Name the tensors of a gated MLP: `ours` and `theirs` are its names in our module and on disk."""
    return {
        f"{ours}.gate_up_proj.weight": Weight(
            {f"{theirs}.gate_proj.weight": (inner, inputs), f"{theirs}.up_proj.weight": (inner, inputs)},
            torch.cat,
        ),
        f"{ours}.down_proj.weight": Weight({f"{theirs}.down_proj.weight": (outputs, inner)}),
    }


def qwen3_stack(ours: str, theirs: str, config: TransformerConfig) -> Plan:
    """Name the tensors of a stack of Qwen3 layers and the norm after it."""
    hidden, d = config.hidden_size, config.head_dim
    queries, keys = config.num_attention_heads * d, config.num_key_value_heads * d
    plan: Plan = {f"{ours}.norm.weight": Weight({f"{theirs}.norm.weight": (hidden,)})}
    for i in range(config.num_hidden_layers):
        a, b = f"{ours}.layers.{i}", f"{theirs}.layers.{i}"
        plan[f"{a}.attention.qkv_proj.weight"] = Weight(
            {
                f"{b}.self_attn.q_proj.weight": (queries, hidden),
                f"{b}.self_attn.k_proj.weight": (keys, hidden),
                f"{b}.self_attn.v_proj.weight": (keys, hidden),
            },
            torch.cat,
        )
        plan[f"{a}.attention.o_proj.weight"] = Weight({f"{b}.self_attn.o_proj.weight": (hidden, queries)})
        plan[f"{a}.attention.q_norm.weight"] = Weight({f"{b}.self_attn.q_norm.weight": (d,)})
        plan[f"{a}.attention.k_norm.weight"] = Weight({f"{b}.self_attn.k_norm.weight": (d,)})
        plan[f"{a}.input_norm.weight"] = Weight({f"{b}.input_layernorm.weight": (hidden,)})
        plan[f"{a}.post_norm.weight"] = Weight({f"{b}.post_attention_layernorm.weight": (hidden,)})
        plan |= gated_mlp(f"{a}.mlp", f"{b}.mlp", hidden, config.intermediate_size, hidden)
    return plan


def gpt2_stack(ours: str, theirs: str, config: Gpt2Config) -> Plan:
    """Name the tensors of a stack of GPT-2 layers and the norm after it."""
    width, inner = config.n_embd, config.n_inner
    shapes = {
        "norm1": ("ln_1", (width,)),
        "in_proj": ("attn.c_attn", (3 * width, width)),
        "out_proj": ("attn.c_proj", (width, width)),
        "norm2": ("ln_2", (width,)),
        "linear1": ("mlp.fc_in", (inner, width)),
        "linear2": ("mlp.fc_out", (width, inner)),
    }
    plan = _with_bias(f"{ours}.norm", f"{theirs}.ln_f", (width,))
    for i in range(config.n_layer):
        for name, (source, shape) in shapes.items():
            plan |= _with_bias(f"{ours}.layers.{i}.{name}", f"{theirs}.h.{i}.{source}", shape)
    return plan


def _with_bias(ours: str, theirs: str, shape: tuple[int, ...]) -> Plan:
    return {
        f"{ours}.weight": Weight({f"{theirs}.weight": shape}),
        f"{ours}.bias": Weight({f"{theirs}.bias": shape[:1]}),
    }
