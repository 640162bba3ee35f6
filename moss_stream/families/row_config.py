"""What a config.json says of rows of a text id and codes, checked."""

from __future__ import annotations

from typing import Self

from pydantic import Field, model_validator

from moss_stream.checkpoint.checked import Checked, Count
from moss_stream.nn.config import TransformerConfig

__all__ = ["RowConfig"]


class RowConfig(Checked):
    """Rows of a text id and a code of each codebook, their marks, and a backbone that reads them."""

    language_config: TransformerConfig
    n_vq: Count
    audio_vocab_size: int = Field(gt=0, lt=1 << 15, description="Codes travel to the host as int16.")
    audio_pad_code: int
    pad_token_id: int
    audio_start_token_id: int
    audio_end_token_id: int
    audio_user_slot_token_id: int
    audio_assistant_gen_slot_token_id: int

    @model_validator(mode="after")
    def _ids_are_embedded(self) -> Self:
        size = self.language_config.vocab_size
        for name in type(self).model_fields:
            if name.endswith("_token_id") and not 0 <= getattr(self, name) < size:
                raise ValueError(f"{name} is not below vocab_size, {size}")
        if not 0 <= self.audio_pad_code <= self.audio_vocab_size:
            raise ValueError(f"audio_pad_code is not within audio_vocab_size, {self.audio_vocab_size}")
        return self
