"""What the config.json of the Cat codec says, checked."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal, Self

from pydantic import Field, model_validator

from moss_stream.checkpoint.checked import Checked, Count, Positive, Width, validated
from moss_stream.codec.formats import FORMATS, CatFormat
from moss_stream.errors import UnsupportedModel
from moss_stream.quote import quoted

__all__ = ["CatConfig", "CatStage", "QuantizerConfig"]


Context = Annotated[
    float, Field(ge=0.08, le=120, description="Seconds that are attended over: a frame or more.")
]


class CatStage(Checked):
    """One module of the codec: a causal transformer, or a reshape between samples and patches."""

    module_type: Literal["Transformer", "PatchedPretransform"]
    patch_size: int = Field(default=1, ge=1, le=1920)
    input_dimension: int = Field(default=0, ge=0, le=1 << 18)
    output_dimension: int = Field(default=0, ge=0, le=1 << 18)
    d_model: int = Field(default=0, ge=0, le=1 << 18)
    num_heads: Count = 1
    num_layers: int = Field(default=0, ge=0, le=512)
    dim_feedforward: int = Field(default=0, ge=0, le=1 << 18)
    max_period: Positive = 10_000.0
    causal: Literal[True] = True
    gating: Literal["none"] = "none"
    norm: Literal["layer_norm"] = "layer_norm"
    positional_embedding: Literal["rope"] = "rope"
    layer_scale: float | None = None
    context_duration: Context | None = None

    @model_validator(mode="after")
    def _is_whole(self) -> Self:
        if self.module_type == "PatchedPretransform":
            return self
        sizes = (
            self.input_dimension,
            self.output_dimension,
            self.d_model,
            self.num_layers,
            self.dim_feedforward,
        )
        if not all(sizes):
            raise ValueError("a Transformer lacks one of its sizes")
        if self.d_model % (2 * self.num_heads):
            raise ValueError("d_model is not a multiple of 2 * num_heads")
        return self


class QuantizerConfig(Checked):
    """The residual quantizer of the codec."""

    input_dim: Width
    rvq_dim: Width
    output_dim: Width
    num_quantizers: Count
    codebook_size: int = Field(gt=0, lt=1 << 15)
    codebook_dim: Width
    quantizer_type: Literal["rlfq", "random_prefix_rlfq"] = "rlfq"


class CatConfig(Checked):
    """A MOSS-Audio-Tokenizer (Cat) checkpoint."""

    sampling_rate: int
    downsample_rate: int
    number_channels: int = 1
    enable_channel_interleave: bool = True
    causal_transformer_context_duration: Context
    encoder_kwargs: tuple[CatStage, ...] = Field(max_length=64)
    decoder_kwargs: tuple[CatStage, ...] = Field(max_length=64)
    quantizer_kwargs: QuantizerConfig

    @model_validator(mode="after")
    def _stages_fit(self) -> Self:
        """Follow the width through the stages: each takes what the one before gives."""
        quantizer, wanted = self.quantizer_kwargs, self.format.frame_samples
        if self.downsample_rate != wanted:
            raise ValueError(f"downsample_rate is {self.downsample_rate} instead of {wanted}")
        if self.number_channels > 1 and not self.enable_channel_interleave:
            raise ValueError("the samples of the channels do not take turns (enable_channel_interleave)")
        samples = wanted * self.format.channels
        _follow("encoder_kwargs", self.encoder_kwargs, (1, quantizer.input_dim), samples, is_down=True)
        _follow("decoder_kwargs", self.decoder_kwargs, (quantizer.output_dim, 1), samples, is_down=False)
        return self

    @property
    def format(self) -> CatFormat:
        """Its version."""
        return FORMATS[self.sampling_rate, self.number_channels]

    def window(self, stage: CatStage, rate_hz: float) -> int:
        """Return how many positions a transformer at `rate_hz` attends over."""
        return self.format.whole(
            rate_hz * (stage.context_duration or self.causal_transformer_context_duration)
        )

    @classmethod
    def parse(cls, raw: Mapping[str, Any], where: str) -> Self:
        """Check a config.json; `where` names it in errors.

        Raises:
            UnsupportedModel: It is not a codec, or one of another version.
            CorruptCheckpoint: A field is missing or makes no sense.
        """
        if "quantizer_kwargs" not in raw or "decoder_kwargs" not in raw:
            raise UnsupportedModel(
                f"{where} is not a codec (its model_type is {quoted(raw.get('model_type'))}). "
                "Give the MOSS-Audio-Tokenizer's folder or repository as codec."
            )
        # Both spellings are in use.
        rate, channels = raw.get("sampling_rate", raw.get("sample_rate")), raw.get("number_channels", 1)
        if not any((rate, channels) == known for known in FORMATS):
            supported = ", ".join(each.name for each in FORMATS.values())
            raise UnsupportedModel(
                f"{where} is a codec of {quoted(rate)} Hz and {quoted(channels)} channel(s). Supported: "
                f"{supported}."
            )
        return validated(cls, {**raw, "sampling_rate": rate}, where)


def _follow(
    name: str, stages: Sequence[CatStage], widths: tuple[int, int], samples: int, is_down: bool
) -> None:
    """Check that stages lead from one width to another, and that a frame is a frame."""
    width, wanted = widths
    for number, stage in enumerate(stages):
        if stage.module_type == "Transformer":
            if stage.input_dimension != width:
                raise ValueError(f"{name}.{number} takes {stage.input_dimension} values, and gets {width}")
            width = stage.output_dimension
        elif is_down:
            width *= stage.patch_size
        elif width % stage.patch_size:
            raise ValueError(f"{name}.{number} cannot unfold {width} values into {stage.patch_size}")
        else:
            width //= stage.patch_size
    if width != wanted:
        raise ValueError(f"{name} ends with {width} values a position instead of {wanted}")
    patches = math.prod(stage.patch_size for stage in stages if stage.module_type == "PatchedPretransform")
    if patches != samples:
        raise ValueError(f"the patches of {name} make {patches} samples a frame instead of {samples}")
