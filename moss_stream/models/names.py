"""Where each parameter of our modules comes from in a checkpoint of the reference implementation."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from moss_stream.models.cat_config import CatConfig, CatStage
from moss_stream.models.config import LocalConfig, TransformerConfig

__all__ = ["Weight", "cat_weights", "is_ignored", "local_weights", "modern_name"]

Shape = tuple[int, ...]


def _only(tensors: list[Tensor]) -> Tensor:
    return tensors[0]


@dataclass(frozen=True, slots=True)
class Weight:
    """The tensors one parameter is made of."""

    sources: Mapping[str, Shape]
    """Names on disk and the shapes they must have."""
    combine: Callable[[list[Tensor]], Tensor] = _only
    rows: tuple[int, ...] | None = None
    """Read only these rows of the (one) source."""


Plan = dict[str, Weight]


def is_ignored(name: str) -> bool:
    """Tell whether a tensor may be on disk although the model has no use for it."""
    return name == "model.language_model.embed_tokens.weight" or name.endswith("rotary_emb.inv_freq")


def modern_name(name: str) -> str:
    """Return today's spelling of a tensor name that older exports of the codec spell differently."""
    name = re.sub(r"weight_g$", "parametrizations.weight.original0", name)
    name = re.sub(r"weight_v$", "parametrizations.weight.original1", name)
    return (
        re.sub(r"\.(in|out)_proj(?:\.|_)weight$", r".\1_projs.0.weight", name)
        if ".self_attn." in name
        else name
    )


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
        **_stack("backbone", "model.language_model", language),
        **_stack("depth", "local_transformer", depth),
        **_mlp("depth.in_mlp", "speech_embedding_to_local_mlp", hidden, inner, depth.hidden_size),
    }
    for i in range(1 + config.n_vq):
        plan |= _mlp(
            f"depth.out_mlps.{i}", f"local_to_speech_embedding_mlps.{i}", depth.hidden_size, inner, hidden
        )
        plan[f"depth.out_norms.{i}.weight"] = Weight({f"layer_norm_before_lm_heads.{i}.weight": (hidden,)})
        size, rows = (codes, None) if i else (language.vocab_size, tuple(text_rows) if text_rows else None)
        plan[f"depth.heads.{i}.weight"] = Weight({f"lm_heads.{i}.weight": (size, hidden)}, rows=rows)
    return plan


def _mlp(ours: str, theirs: str, inputs: int, inner: int, outputs: int) -> Plan:
    return {
        f"{ours}.gate_up_proj.weight": Weight(
            {f"{theirs}.gate_proj.weight": (inner, inputs), f"{theirs}.up_proj.weight": (inner, inputs)},
            torch.cat,
        ),
        f"{ours}.down_proj.weight": Weight({f"{theirs}.down_proj.weight": (outputs, inner)}),
    }


def _stack(ours: str, theirs: str, config: TransformerConfig) -> Plan:
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
        plan |= _mlp(f"{a}.mlp", f"{b}.mlp", hidden, config.intermediate_size, hidden)
    return plan


def cat_weights(config: CatConfig) -> Plan:
    """Name the tensors of the Cat codec."""
    plan: Plan = {}
    for side, stages in (("encoder", config.encoder_kwargs), ("decoder", config.decoder_kwargs)):
        for i, stage in enumerate(stages):
            if stage.module_type == "Transformer":
                plan |= _cat_stage(f"{side}.stages.{i}", f"{side}.{i}", stage)
    q = config.quantizer_kwargs
    levels, dim, width = q.num_quantizers, q.codebook_dim, q.rvq_dim
    names = [f"quantizer.quantizers.{i}" for i in range(levels)]
    plan["quantizer.codebook"] = Weight(
        {f"{n}.codebook.weight": (q.codebook_size, dim) for n in names}, torch.stack
    )
    plan |= _convs("quantizer.in_", [f"{n}.in_proj" for n in names], width, dim)
    plan |= _convs("quantizer.out_", [f"{n}.out_proj" for n in names], dim, width)
    plan |= _convs("quantizer.input_proj.", ["quantizer.input_proj"], q.input_dim, width)
    plan |= _convs("quantizer.output_proj.", ["quantizer.output_proj"], width, q.output_dim)
    return plan


def _cat_stage(ours: str, theirs: str, stage: CatStage) -> Plan:
    d, inner = stage.d_model, stage.dim_feedforward
    plan: Plan = {}
    if stage.input_dimension != d:
        plan[f"{ours}.input_proj.weight"] = Weight(
            {f"{theirs}.input_proj.weight": (d, stage.input_dimension)}
        )
    if stage.output_dimension != d:
        plan[f"{ours}.output_proj.weight"] = Weight(
            {f"{theirs}.output_proj.weight": (stage.output_dimension, d)}
        )
    for i in range(stage.num_layers):
        a, b = f"{ours}.layers.{i}", f"{theirs}.transformer.layers.{i}"
        plan[f"{a}.in_proj.weight"] = Weight({f"{b}.self_attn.in_projs.0.weight": (3 * d, d)})
        plan[f"{a}.out_proj.weight"] = Weight({f"{b}.self_attn.out_projs.0.weight": (d, d)})
        plan[f"{a}.linear1.weight"] = Weight({f"{b}.linear1.weight": (inner, d)})
        plan[f"{a}.linear2.weight"] = Weight({f"{b}.linear2.weight": (d, inner)})
        for n in (1, 2):
            scale = {f"{b}.layer_scale_{n}.scale": (d,)} if stage.layer_scale is not None else {}
            plan[f"{a}.scale{n}"] = Weight(scale) if scale else Weight({}, lambda _, d=d: torch.ones(d))  # type: ignore[misc]
            plan[f"{a}.norm{n}.weight"] = Weight({f"{b}.norm{n}.weight": (d,)})
            plan[f"{a}.norm{n}.bias"] = Weight({f"{b}.norm{n}.bias": (d,)})
    return plan


def _convs(ours: str, theirs: list[str], inputs: int, outputs: int) -> Plan:
    """Fold weight-normalised 1x1 convolutions into matrices; several become one stacked parameter.

    Where both widths agree the reference has no convolution at all.
    """
    count = len(theirs)
    if inputs == outputs:
        # Made when they are asked for: by then the sizes have been held against the files.
        return {
            ours + "weight": Weight({}, lambda _: _repeated(torch.eye(outputs), count)),
            ours + "bias": Weight({}, lambda _: _repeated(torch.zeros(outputs), count)),
        }
    weights: dict[str, Shape] = {}
    for name in theirs:
        weights[f"{name}.parametrizations.weight.original0"] = (outputs, 1, 1)
        weights[f"{name}.parametrizations.weight.original1"] = (outputs, inputs, 1)
    biases: dict[str, Shape] = {f"{name}.bias": (outputs,) for name in theirs}
    return {
        ours + "weight": Weight(weights, _fold if count == 1 else _fold_all),
        ours + "bias": Weight(biases, _only if count == 1 else torch.stack),
    }


def _repeated(tensor: Tensor, count: int) -> Tensor:
    return torch.stack([tensor] * count) if count > 1 else tensor


def _fold(tensors: list[Tensor]) -> Tensor:
    """Join gain [out, 1, 1] and direction [out, in, 1] to a matrix [out, in]."""
    gain, direction = tensors
    folded: Tensor = gain * direction / direction.norm(dim=(1, 2), keepdim=True)
    return folded.squeeze(-1)


def _fold_all(tensors: list[Tensor]) -> Tensor:
    return torch.stack([_fold(tensors[i : i + 2]) for i in range(0, len(tensors), 2)])
