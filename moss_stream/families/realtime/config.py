"""What the config.json of a MOSS-TTS-Realtime checkpoint says, checked."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self

from pydantic import Field, model_validator

from moss_stream.checkpoint.checked import Checked, Count, validated
from moss_stream.errors import CorruptCheckpoint
from moss_stream.nn.config import TransformerConfig, qwen3_fields

__all__ = ["OPENING", "WINDOW", "RealtimeConfig"]

OPENING = 12
"""Text tokens before the first frame (`delay_tokens_len` in the reference's processor): as in training."""
WINDOW = 50
"""Frames that the repetition penalty looks back on (`repetition_window` in the reference): 4 s of speech."""


class RealtimeConfig(Checked):
    """A MOSS-TTS-Realtime checkpoint."""

    language_config: TransformerConfig
    local_config: TransformerConfig
    rvq: Count
    audio_vocab_size: int = Field(gt=3, lt=1 << 15, description="Codes travel to the host as int16.")
    audio_pad_token: int = Field(gt=0, description="The first value that is no code; start and end follow.")
    text_pad: int = Field(ge=0)
    reference_audio_pad: int = Field(ge=0)

    @model_validator(mode="after")
    def _values_are_embedded(self) -> Self:
        size = self.language_config.vocab_size
        for name in ("text_pad", "reference_audio_pad"):
            if getattr(self, name) >= size:
                raise ValueError(f"{name} is not below vocab_size, {size}")
        if self.eos_code >= self.audio_vocab_size:
            raise ValueError(
                f"audio_pad_token leaves no room below audio_vocab_size, {self.audio_vocab_size}"
            )
        if self.local_config.hidden_size != self.language_config.hidden_size:
            raise ValueError("local_config.hidden_size is not that of language_config")
        return self

    @property
    def bos_code(self) -> int:
        """The first codebook's value in the last row before the first frame."""
        return self.audio_pad_token + 1

    @property
    def eos_code(self) -> int:
        """The first codebook's value in the row after the last frame."""
        return self.audio_pad_token + 2

    @classmethod
    def parse(cls, raw: Mapping[str, Any], where: str) -> Self:
        """Check a config.json; `where` names it in errors.

        Raises:
            UnsupportedModel: Its layers are not those of the reference implementation.
            CorruptCheckpoint: A field is missing or makes no sense.
        """
        language, local = qwen3_fields(raw, "language_config", where), _local_fields(raw, where)
        return validated(cls, {**raw, "language_config": language, "local_config": local}, where)


def _local_fields(raw: Mapping[str, Any], where: str) -> dict[str, Any]:
    """Return the depth transformer's fields; its "linear" scaling by 1 is none."""
    local = raw.get("local_config")
    if not isinstance(local, dict):
        raise CorruptCheckpoint(f"The config.json of {where} cannot be used: local_config is not an object.")
    rope = local.get("rope_parameters")
    if isinstance(rope, dict) and rope.get("rope_type") == "linear" and rope.get("factor", 1.0) == 1.0:
        local = {**local, "rope_parameters": {**rope, "rope_type": "default"}}
    fields = qwen3_fields({"local_config": local}, "local_config", where)
    # It has embeddings of codes only, and one position for each codebook.
    return {"vocab_size": raw.get("audio_vocab_size"), "max_position_embeddings": raw.get("rvq"), **fields}
