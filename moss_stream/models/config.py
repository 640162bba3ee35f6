"""What the config.json of a speech model says, checked; and the naming of checkpoints that are not ours."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, Self

from pydantic import Field, model_validator

from moss_stream.errors import UnsupportedModel
from moss_stream.models.checked import SUPPORTED, Checked, Count, Positive, Width, validated
from moss_stream.quote import quoted

__all__ = ["LocalConfig", "TransformerConfig", "name_of"]


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
            raise ValueError("num_attention_heads is no multiple of num_key_value_heads")
        return self


class LocalConfig(Checked):
    """A MossTTSLocal v1.0 checkpoint."""

    language_config: TransformerConfig
    n_vq: Count
    audio_vocab_size: int = Field(gt=0, lt=1 << 15, description="Codes travel to the host as int16.")
    audio_pad_code: int
    pad_token_id: int
    audio_start_token_id: int
    audio_end_token_id: int
    audio_user_slot_token_id: int
    audio_assistant_gen_slot_token_id: int
    local_hidden_size: Width
    local_ffn_hidden_size: Width
    local_num_layers: Count
    additional_mlp_ffn_hidden_size: Width
    sampling_rate: Literal[24000] = 24000

    @model_validator(mode="after")
    def _ids_are_embedded(self) -> Self:
        size = self.language_config.vocab_size
        for name in type(self).model_fields:
            if name.endswith("_token_id") and not 0 <= getattr(self, name) < size:
                raise ValueError(f"{name} is not below vocab_size, {size}")
        if not 0 <= self.audio_pad_code <= self.audio_vocab_size:
            raise ValueError(f"audio_pad_code is not within audio_vocab_size, {self.audio_vocab_size}")
        return self

    @property
    def depth(self) -> TransformerConfig:
        """The depth transformer: the backbone's head layout in other widths."""
        return self.language_config.model_copy(
            update={
                "hidden_size": self.local_hidden_size,
                "intermediate_size": self.local_ffn_hidden_size,
                "num_hidden_layers": self.local_num_layers,
            }
        )

    @classmethod
    def parse(cls, raw: Mapping[str, Any], where: str) -> Self:
        """Check a config.json; `where` names it in errors.

        Raises:
            UnsupportedModel: It is a checkpoint of another model; the message says of which.
            CorruptCheckpoint: A field is missing or makes no sense.
        """
        name = name_of(raw)
        if name is not None:
            raise UnsupportedModel(f"{where} is {name}, which moss-stream cannot run. {SUPPORTED}")
        language = _transformer(_object(raw.get("language_config")), where)
        return validated(cls, {**raw, "language_config": language}, where)


def _object(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _transformer(raw: Mapping[str, Any], where: str) -> dict[str, Any]:
    """Accept both spellings of RoPE's base and refuse what the network does not do."""
    rope = _object(raw.get("rope_parameters"))
    scaling = _object(raw.get("rope_scaling"))
    kind = rope.get("rope_type") or scaling.get("rope_type") or scaling.get("type") or "default"
    unsupported = [
        text
        for text, used in [
            (f"RoPE scaling {quoted(kind)}", kind != "default"),
            ("attention bias", bool(raw.get("attention_bias"))),
            ("sliding-window attention", bool(raw.get("use_sliding_window"))),
            (f"activation {quoted(raw.get('hidden_act'))}", raw.get("hidden_act", "silu") != "silu"),
        ]
        if used
    ]
    if unsupported:
        raise UnsupportedModel(f"{where} uses {', '.join(unsupported)}. {SUPPORTED}")
    theta = rope.get("rope_theta", raw.get("rope_theta", 1_000_000.0))
    return {**raw, "rope_theta": theta}


def name_of(raw: Mapping[str, Any]) -> str | None:
    """Name a checkpoint that is not MossTTSLocal v1.0; None if it is one.

    The Local v1.0 and the 8B Delay model declare the same architecture and model type; only Local
    has a depth transformer in its config.
    """
    model_type = str(raw.get("model_type"))
    named = raw.get("architectures")
    architecture = named[0] if isinstance(named, list) and named else "unknown"
    if model_type == "moss_tts_delay":
        is_local = "local_num_layers" in raw and "local_hidden_size" in raw
        return (
            None
            if is_local
            else "a MOSS-TTS Delay checkpoint (the 8B family: TTS, TTSD, SoundEffect, VoiceGenerator)"
        )
    known = {
        "moss_tts_local": "MOSS-TTS-Local v1.5",
        "moss_tts_realtime": "MOSS-TTS-Realtime",
        "moss_tts_nano": "MOSS-TTS-Nano",
        "speech_tokenizer": "the MOSS-Audio-Tokenizer codec (give it as codec, not as model)",
        "moss-audio-tokenizer": "the MOSS-Audio-Tokenizer codec (give it as codec, not as model)",
    }
    return known.get(
        model_type,
        f"an unknown checkpoint (model_type {quoted(model_type)}, architecture {quoted(architecture)})",
    )
