"""What the config.json of a MossTTSDelay checkpoint says, checked."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self

from pydantic import model_validator

from moss_stream.checkpoint.checked import validated
from moss_stream.families.row_config import RowConfig
from moss_stream.nn.config import qwen3_fields

__all__ = ["DelayConfig"]


class DelayConfig(RowConfig):
    """A MossTTSDelay checkpoint."""

    im_start_token_id: int
    im_end_token_id: int
    audio_assistant_delay_slot_token_id: int

    @model_validator(mode="after")
    def _pad_is_the_next_value(self) -> Self:
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
