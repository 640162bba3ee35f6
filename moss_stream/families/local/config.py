"""What the config.json of a MossTTSLocal v1.0 checkpoint says, checked."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, Self

from pydantic import Field, model_validator

from moss_stream.checkpoint.checked import Checked, Count, Width, validated
from moss_stream.nn.config import TransformerConfig, qwen3_fields

__all__ = ["LocalConfig"]


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
            UnsupportedModel: Its layers are not those of the reference implementation.
            CorruptCheckpoint: A field is missing or makes no sense.
        """
        language = qwen3_fields(raw, "language_config", where)
        return validated(cls, {**raw, "language_config": language}, where)
