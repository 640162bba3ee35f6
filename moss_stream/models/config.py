"""What the config.json of a checkpoint says, checked; and the naming of checkpoints that are not ours."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, Self, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from moss_stream.errors import CorruptCheckpoint, UnsupportedModel

__all__ = ["CatConfig", "CatStage", "LocalConfig", "TransformerConfig"]

SUPPORTED = (
    "Supported: MOSS-TTS Local v1.0 (MossTTSLocal) with the MOSS-Audio-Tokenizer v1 codec (24 kHz mono)."
)


class _Config(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


C = TypeVar("C", bound=_Config)


class TransformerConfig(_Config):
    """The shape of a stack of Qwen3 layers."""

    hidden_size: int = Field(gt=0)
    intermediate_size: int = Field(gt=0)
    num_hidden_layers: int = Field(gt=0)
    num_attention_heads: int = Field(gt=0)
    num_key_value_heads: int = Field(gt=0)
    head_dim: int = Field(gt=0)
    vocab_size: int = Field(gt=0)
    max_position_embeddings: int = Field(gt=0)
    rms_norm_eps: float = 1e-6
    rope_theta: float = 1_000_000.0


class LocalConfig(_Config):
    """A MossTTSLocal v1.0 checkpoint."""

    language_config: TransformerConfig
    n_vq: int = Field(gt=0)
    audio_vocab_size: int = Field(gt=0)
    audio_pad_code: int
    pad_token_id: int
    audio_start_token_id: int
    audio_end_token_id: int
    audio_user_slot_token_id: int
    audio_assistant_gen_slot_token_id: int
    local_hidden_size: int = Field(gt=0)
    local_ffn_hidden_size: int = Field(gt=0)
    local_num_layers: int = Field(gt=0)
    additional_mlp_ffn_hidden_size: int = Field(gt=0)
    sampling_rate: Literal[24000] = 24000

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
        name = _name_of(raw)
        if name is not None:
            raise UnsupportedModel(f"{where} is {name}, which moss-stream cannot run. {SUPPORTED}")
        language = _transformer(raw.get("language_config") or {}, where)
        return _validate(cls, {**raw, "language_config": language}, where)


class CatStage(_Config):
    """One module of the codec: a causal transformer, or a reshape between samples and patches."""

    module_type: Literal["Transformer", "PatchedPretransform"]
    patch_size: int = 1
    input_dimension: int = 0
    output_dimension: int = 0
    d_model: int = 0
    num_heads: int = 1
    num_layers: int = 0
    dim_feedforward: int = 0
    max_period: float = 10_000.0
    causal: Literal[True] = True
    gating: Literal["none"] = "none"
    norm: Literal["layer_norm"] = "layer_norm"
    positional_embedding: Literal["rope"] = "rope"
    layer_scale: float | None = None


class QuantizerConfig(_Config):
    """The residual quantizer of the codec."""

    input_dim: int
    rvq_dim: int
    output_dim: int
    num_quantizers: int
    codebook_size: int
    codebook_dim: int
    quantizer_type: Literal["rlfq", "random_prefix_rlfq"] = "rlfq"


class CatConfig(_Config):
    """A MOSS-Audio-Tokenizer v1 (Cat) checkpoint."""

    sampling_rate: Literal[24000]
    downsample_rate: Literal[1920]
    number_channels: Literal[1] = 1
    causal_transformer_context_duration: float = Field(gt=0)
    encoder_kwargs: tuple[CatStage, ...]
    decoder_kwargs: tuple[CatStage, ...]
    quantizer_kwargs: QuantizerConfig

    @classmethod
    def parse(cls, raw: Mapping[str, Any], where: str) -> Self:
        """Check a config.json; `where` names it in errors.

        Raises:
            UnsupportedModel: It is no codec, or one of another version.
            CorruptCheckpoint: A field is missing or makes no sense.
        """
        if "quantizer_kwargs" not in raw or "decoder_kwargs" not in raw:
            what = _name_of(raw) or "a speech model"
            raise UnsupportedModel(
                f"{where} is not a codec but {what}. "
                "Give the MOSS-Audio-Tokenizer's folder or repository as codec."
            )
        rate, channels = raw.get("sampling_rate"), raw.get("number_channels", 1)
        if rate != 24_000 or channels != 1:
            raise UnsupportedModel(
                f"{where} is a codec of {rate} Hz and {channels} channel(s), probably "
                f"MOSS-Audio-Tokenizer-v2. {SUPPORTED}"
            )
        return _validate(cls, raw, where)


def _validate(kind: type[C], raw: Mapping[str, Any], where: str) -> C:
    try:
        return kind.model_validate(raw)
    except ValidationError as error:
        problems = "; ".join(f"{'.'.join(map(str, p['loc']))}: {p['msg']}" for p in error.errors())
        raise CorruptCheckpoint(f"The config.json of {where} cannot be used: {problems}.") from error


def _transformer(raw: Mapping[str, Any], where: str) -> dict[str, Any]:
    """Accept both spellings of RoPE's base and refuse what the network does not do."""
    rope = raw.get("rope_parameters") or {}
    scaling = raw.get("rope_scaling") or {}
    kind = rope.get("rope_type") or scaling.get("rope_type") or scaling.get("type") or "default"
    unsupported = [
        text
        for text, used in [
            (f"RoPE scaling {kind!r}", kind != "default"),
            ("attention bias", bool(raw.get("attention_bias"))),
            ("sliding-window attention", bool(raw.get("use_sliding_window"))),
            (f"activation {raw.get('hidden_act')!r}", raw.get("hidden_act", "silu") != "silu"),
        ]
        if used
    ]
    if unsupported:
        raise UnsupportedModel(f"{where} uses {', '.join(unsupported)}. {SUPPORTED}")
    theta = rope.get("rope_theta", raw.get("rope_theta", 1_000_000.0))
    return {**raw, "rope_theta": theta}


def _name_of(raw: Mapping[str, Any]) -> str | None:
    """Name a checkpoint that is not MossTTSLocal v1.0; None if it is one.

    The Local v1.0 and the 8B Delay model declare the same architecture and model type; only Local
    has a depth transformer in its config.
    """
    model_type = str(raw.get("model_type"))
    architecture = str((raw.get("architectures") or ["unknown"])[0])
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
        model_type, f"an unknown checkpoint (model_type {model_type!r}, architecture {architecture!r})"
    )
