"""What the config.json of a MossTTSLocal v1.5 checkpoint says, checked."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, Self

from pydantic import model_validator

from moss_stream.checkpoint.checked import validated
from moss_stream.families.row_config import RowConfig
from moss_stream.nn.config import Gpt2Config, gpt2_fields, qwen3_fields

__all__ = ["LocalV15Config"]

SPELLINGS = {
    "audio_pad_code": "audio_pad_token_id",
    "audio_assistant_gen_slot_token_id": "audio_assistant_slot_token_id",
}
"""Fields that have two names in the reference's configuration."""


class LocalV15Config(RowConfig):
    """A MossTTSLocal v1.5 checkpoint."""

    depth: Gpt2Config
    im_start_token_id: int
    im_end_token_id: int
    local_text_head_mode: Literal["binary", "full_vocab"] = "binary"
    tie_word_embeddings: Literal[True] = True
    audio_codebook_sizes: tuple[int, ...] = ()
    sampling_rate: Literal[48000] = 48000

    @model_validator(mode="after")
    def _is_of_one_width(self) -> Self:
        if self.depth.n_embd != self.language_config.hidden_size:
            raise ValueError("gpt2_config.n_embd is not the hidden_size of the backbone")
        if self.audio_pad_code != self.audio_vocab_size:
            raise ValueError(f"audio_pad_code is not audio_vocab_size, {self.audio_vocab_size}")
        if self.audio_codebook_sizes not in ((), (self.audio_vocab_size,) * self.n_vq):
            raise ValueError("audio_codebook_sizes does not give n_vq codebooks of audio_vocab_size")
        return self

    @classmethod
    def parse(cls, raw: Mapping[str, Any], where: str) -> Self:
        """Check a config.json; `where` names it in errors.

        Raises:
            UnsupportedModel: Its layers are not those of the reference implementation.
            CorruptCheckpoint: A field is missing or makes no sense.
        """
        language = "qwen3_config" if raw.get("qwen3_config") is not None else "language_config"
        depth = gpt2_fields(raw, "gpt2_config", where)
        if "local_transformer_layers" in raw:  # as many as this says, whatever gpt2_config says
            depth["n_layer"] = raw["local_transformer_layers"]
        spelled = {name: raw.get(name, raw.get(other)) for name, other in SPELLINGS.items()}
        parts = {"language_config": qwen3_fields(raw, language, where), "depth": depth}
        return validated(cls, {**raw, **spelled, **parts}, where)
