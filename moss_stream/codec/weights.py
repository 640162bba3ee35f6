"""Where each parameter of the Cat codec comes from in a checkpoint of the reference implementation."""

from __future__ import annotations

import re

import torch
from torch import Tensor

from moss_stream.checkpoint.plan import Plan, Weight, only
from moss_stream.codec.config import CatConfig, CatStage

__all__ = ["cat_weights", "modern_name"]

Shape = tuple[int, ...]


def modern_name(name: str) -> str:
    """Return one spelling of a tensor name, whatever export or version of the codec it comes from."""
    name = re.sub(r"weight_g$", "parametrizations.weight.original0", name)
    name = re.sub(r"weight_v$", "parametrizations.weight.original1", name)
    name = re.sub(r"\.ffn\.([02])\.", lambda found: ".linear1." if found[1] == "0" else ".linear2.", name)
    return (
        re.sub(r"\.(in|out)_proj(?:\.|_)weight$", r".\1_projs.0.weight", name)
        if ".self_attn." in name
        else name
    )


def cat_weights(config: CatConfig) -> Plan:
    """Name the tensors of the Cat codec."""
    plan: Plan = {}
    for side, stages in (("encoder", config.encoder_kwargs), ("decoder", config.decoder_kwargs)):
        for i, stage in enumerate(stages):
            if stage.module_type == "Transformer":
                plan |= _cat_stage(f"{side}.stages.{i}", f"{side}.{i}", stage, config.format.always_projects)
    q = config.quantizer_kwargs
    num_codebooks, dim, width = q.num_quantizers, q.codebook_dim, q.rvq_dim
    names = [f"quantizer.quantizers.{i}" for i in range(num_codebooks)]
    plan["quantizer.codebook"] = Weight(
        {f"{n}.codebook.weight": (q.codebook_size, dim) for n in names}, torch.stack
    )
    plan |= _convs("quantizer.in_", [f"{n}.in_proj" for n in names], width, dim)
    plan |= _convs("quantizer.out_", [f"{n}.out_proj" for n in names], dim, width)
    plan |= _convs("quantizer.input_proj.", ["quantizer.input_proj"], q.input_dim, width)
    plan |= _convs("quantizer.output_proj.", ["quantizer.output_proj"], width, q.output_dim)
    return plan


def _cat_stage(ours: str, theirs: str, stage: CatStage, always_projects: bool) -> Plan:
    d, inner = stage.d_model, stage.dim_feedforward
    plan: Plan = {}
    if always_projects or stage.input_dimension != d:
        plan[f"{ours}.input_proj.weight"] = Weight(
            {f"{theirs}.input_proj.weight": (d, stage.input_dimension)}
        )
    if always_projects or stage.output_dimension != d:
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
        ours + "bias": Weight(biases, only if count == 1 else torch.stack),
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
