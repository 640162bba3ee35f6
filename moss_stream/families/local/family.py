"""MossTTSLocal v1.0 as a family; see `moss_stream.families.family` for what that is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from moss_stream.codec.formats import V1
from moss_stream.config import SamplingOptions
from moss_stream.families.local.config import LocalConfig
from moss_stream.nn.config import TransformerConfig
from moss_stream.uses import Use

if TYPE_CHECKING:
    import torch

    from moss_stream.config import EngineOptions
    from moss_stream.families.frame_prompts import FramePrompts
    from moss_stream.families.local.network import MossTTSLocal

__all__ = ["Local", "LocalCheckpoint"]


class Local:
    """Qwen3-1.7B, and a depth transformer over 32 codebooks.

    Local v1.0 and the 8B Delay model declare the same architecture and model type; only Local has a depth
    transformer in its config.
    """

    name = "MOSS-TTS Local v1.0 (MossTTSLocal) with the MOSS-Audio-Tokenizer v1 codec (24 kHz mono)"

    def owns(self, raw: Mapping[str, Any]) -> bool:
        """See `Family`."""
        is_ours = raw.get("model_type") == "moss_tts_delay"
        return is_ours and "local_num_layers" in raw and "local_hidden_size" in raw

    def checkpoint(self, folder: Path, raw: Mapping[str, Any]) -> LocalCheckpoint:
        """See `Family`."""
        return LocalCheckpoint(folder, LocalConfig.parse(raw, str(folder)))


@dataclass(frozen=True)
class LocalCheckpoint:
    """See `Checkpoint`."""

    folder: Path
    config: LocalConfig

    sampling = SamplingOptions()
    """The reference implementation's defaults."""
    history_s = 20.0
    """See `Checkpoint`."""
    uses = frozenset({Use.SPEECH})
    reads_phonetics = True
    codec = V1
    has_loops = True

    @property
    def num_codebooks(self) -> int:
        """See `Checkpoint`."""
        return self.config.n_vq

    @property
    def codebook_size(self) -> int:
        """See `Checkpoint`."""
        return self.config.audio_vocab_size

    @property
    def backbone(self) -> TransformerConfig:
        """See `Checkpoint`."""
        return self.config.language_config

    def network(self, device: torch.device, dtype: torch.dtype, options: EngineOptions) -> MossTTSLocal:
        """See `Checkpoint`."""
        from moss_stream.families.local.load import load_local

        return load_local(self.folder, device, dtype, options)

    def prompts(self, max_rows: int) -> FramePrompts:
        """See `Checkpoint`."""
        from moss_stream.families.frame_prompts import FramePrompts
        from moss_stream.families.tokenizer import ChatTokenizer

        return FramePrompts(self.config, ChatTokenizer(self.folder))
