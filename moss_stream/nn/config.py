"""The shape of a stack of Qwen3 layers, as a config.json gives it, checked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Self

from pydantic import Field, model_validator

from moss_stream.checkpoint.checked import Checked, Count, Positive, Width
from moss_stream.errors import CorruptCheckpoint, UnsupportedModel
from moss_stream.quote import quoted

__all__ = ["Gpt2Config", "TransformerConfig", "gpt2_fields", "qwen3_fields"]


class TransformerConfig(Checked):
    """The shape of a stack of Qwen3 layers."""

    hidden_size: Width
    intermediate_size: Width
    num_hidden_layers: Count
    num_attention_heads: Count
    num_key_value_heads: Count
    head_dim: int = Field(gt=0, le=1024, multiple_of=2)
    vocab_size: int = Field(gt=0, le=1 << 22)
    max_position_embeddings: int = Field(gt=0, le=1 << 24)
    rms_norm_eps: float = Field(default=1e-6, gt=0, lt=1)
    rope_theta: Positive = 1_000_000.0

    @model_validator(mode="after")
    def _heads_divide(self) -> Self:
        if self.num_attention_heads % self.num_key_value_heads:
            raise ValueError("num_attention_heads is not a multiple of num_key_value_heads")
        return self


class Gpt2Config(Checked):
    """The shape of a stack of GPT-2 layers with rotary positions."""

    n_embd: Width
    n_inner: Width
    n_layer: Count
    n_head: Count
    layer_norm_epsilon: float = Field(default=1e-5, gt=0, lt=1)
    rope_base: Positive = 10_000.0

    @model_validator(mode="after")
    def _heads_divide(self) -> Self:
        if self.n_embd % (2 * self.n_head):
            raise ValueError("n_embd is not a multiple of 2 * n_head")
        return self

    @property
    def head_dim(self) -> int:
        """Size of a head."""
        return self.n_embd // self.n_head


def _object(raw: Mapping[str, Any], name: str, where: str) -> Mapping[str, Any]:
    value = raw.get(name)
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise CorruptCheckpoint(f"The config.json of {where} cannot be used: {name} is not an object.")
    return value


def qwen3_fields(config: Mapping[str, Any], name: str, where: str) -> dict[str, Any]:
    """Return the fields of a Qwen3 config, with one spelling of RoPE's base.

    Args:
        config: Of a checkpoint.
        name: Of the part of it that describes the layers.
        where: Names the checkpoint in errors.

    Raises:
        UnsupportedModel: It asks for what our layers do not do.
        CorruptCheckpoint: A part is not an object.
    """
    raw = _object(config, name, where)
    rope = _object(raw, "rope_parameters", where)
    scaling = _object(raw, "rope_scaling", where)
    kind = rope.get("rope_type") or scaling.get("rope_type") or scaling.get("type") or "default"
    _refuse(
        where,
        "Qwen3",
        [
            (f"RoPE scaling {quoted(kind)}", kind != "default"),
            ("attention bias", bool(raw.get("attention_bias"))),
            ("sliding-window attention", bool(raw.get("use_sliding_window"))),
            (f"activation {quoted(raw.get('hidden_act'))}", raw.get("hidden_act", "silu") != "silu"),
        ],
    )
    theta = rope.get("rope_theta", raw.get("rope_theta", 1_000_000.0))
    return {**raw, "rope_theta": theta}


def gpt2_fields(config: Mapping[str, Any], name: str, where: str) -> dict[str, Any]:
    """Return the fields of a GPT-2 config, with the width of the MLP that it means.

    Args:
        config: Of a checkpoint.
        name: Of the part of it that describes the layers.
        where: Names the checkpoint in errors.

    Raises:
        UnsupportedModel: It asks for what our layers do not do.
        CorruptCheckpoint: A part is not an object.
    """
    raw = _object(config, name, where)
    positions = raw.get("position_embedding_type", "absolute")
    activation = raw.get("activation_function", "gelu_new")
    _refuse(
        where,
        "GPT-2",
        [
            (f"positions of the kind {quoted(positions)}", positions != "rope"),
            (f"activation {quoted(activation)}", activation != "silu"),
            ("attention without scale", not raw.get("scale_attn_weights", True)),
            ("a scale for each layer", bool(raw.get("scale_attn_by_inverse_layer_idx"))),
        ],
    )
    width = raw.get("n_embd")
    # As in transformers: no width is four times that of the rows.
    inner = raw.get("n_inner") or (4 * width if isinstance(width, int) else None)
    return {**raw, "n_inner": inner}


def _refuse(where: str, layers: str, problems: Sequence[tuple[str, bool]]) -> None:
    """Raise UnsupportedModel if any of the problems is there."""
    found = [text for text, is_there in problems if is_there]
    if found:
        raise UnsupportedModel(
            f"{where} uses {', '.join(found)}, which the {layers} layers of moss-stream do not do."
        )
