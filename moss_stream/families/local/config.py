"""What the config.json of a MossTTSLocal v1.0 checkpoint says, checked."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, Self

from moss_stream.checkpoint.checked import Count, Width, validated
from moss_stream.families.row_config import RowConfig
from moss_stream.nn.config import TransformerConfig, qwen3_fields

__all__ = ["LocalConfig"]


class LocalConfig(RowConfig):
    """A MossTTSLocal v1.0 checkpoint."""

    local_hidden_size: Width
    local_ffn_hidden_size: Width
    local_num_layers: Count
    additional_mlp_ffn_hidden_size: Width
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
            UnsupportedModel: Its layers are not those of the reference implementation.
            CorruptCheckpoint: A field is missing or makes no sense.
        """
        language = qwen3_fields(raw, "language_config", where)
        return validated(cls, {**raw, "language_config": language}, where)
