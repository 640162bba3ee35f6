"""What the config.json of a MossTTSDelay checkpoint says, checked."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self

from pydantic import Field, model_validator

from moss_stream.checkpoint.checked import Checked, Count, validated
from moss_stream.nn.config import TransformerConfig, qwen3_fields

__all__ = ["DelayConfig"]


class DelayConfig(Checked):
    """A MossTTSDelay checkpoint."""

    language_config: TransformerConfig
    n_vq: Count
    audio_vocab_size: int = Field(gt=0, lt=1 << 15, description="Codes travel to the host as int16.")
    audio_pad_code: int
    pad_token_id: int
    im_start_token_id: int
    im_end_token_id: int
    audio_start_token_id: int
    audio_end_token_id: int
    audio_user_slot_token_id: int
    audio_assistant_gen_slot_token_id: int
    audio_assistant_delay_slot_token_id: int

    @model_validator(mode="after")
    def _ids_are_embedded(self) -> Self:
        size = self.language_config.vocab_size
        for name in type(self).model_fields:
            if name.endswith("_token_id") and not 0 <= getattr(self, name) < size:
                raise ValueError(f"{name} is not below vocab_size, {size}")
        if self.audio_pad_code != self.audio_vocab_size:
            raise ValueError(f"audio_pad_code is not audio_vocab_size, {self.audio_vocab_size}")
        return self

    @classmethod
    def parse(cls, raw: Mapping[str, Any], where: str) -> Self:
        """Check a config.json; `where` names it in errors.

        Raises:
            UnsupportedModel: Its layers are not those of the reference implementation.
            CorruptCheckpoint: A field is missing or makes no sense.
        """
        language = qwen3_fields(raw, "language_config", where)
        return validated(cls, {**raw, "language_config": language}, where)
