"""MossTTSDelay as a family; see `moss_stream.families.family` for what that is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from moss_stream.codec.formats import V1
from moss_stream.config import SamplingOptions
from moss_stream.families.delay.config import DelayConfig
from moss_stream.families.delay.kinds import DelayKind, kind_of
from moss_stream.nn.config import TransformerConfig
from moss_stream.uses import Use

if TYPE_CHECKING:
    import torch

    from moss_stream.config import EngineOptions
    from moss_stream.families.delay.network import MossTTSDelay
    from moss_stream.families.delay.prompt import DelayPrompts

__all__ = ["Delay", "DelayCheckpoint"]


class Delay:
    """Qwen3 with a head for each codebook: MOSS-TTS (8B), TTSD, VoiceGenerator, SoundEffect.

    All four declare one architecture and one model type, as Local v1.0 does, which has a depth transformer in
    its config.
    """

    name = "MOSS-TTS, TTSD, VoiceGenerator, SoundEffect (MossTTSDelay) with the MOSS-Audio-Tokenizer v1 codec"

    def owns(self, raw: Mapping[str, Any]) -> bool:
        """See `Family`."""
        return raw.get("model_type") == "moss_tts_delay" and "local_num_layers" not in raw

    def checkpoint(self, folder: Path, raw: Mapping[str, Any]) -> DelayCheckpoint:
        """See `Family`."""
        return DelayCheckpoint(folder, DelayConfig.parse(raw, str(folder)), kind_of(folder, raw))


@dataclass(frozen=True)
class DelayCheckpoint:
    """See `Checkpoint`."""

    folder: Path
    config: DelayConfig
    kind: DelayKind

    codec = V1
    has_loops = False

    @property
    def sampling(self) -> SamplingOptions:
        """See `Checkpoint`."""
        return self.kind.sampling

    @property
    def history_s(self) -> float:
        """See `Checkpoint`."""
        return self.kind.history_s

    @property
    def uses(self) -> frozenset[Use]:
        """See `Checkpoint`."""
        return self.kind.uses

    @property
    def reads_phonetics(self) -> bool:
        """See `Checkpoint`."""
        return self.kind.reads_phonetics

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

    def network(self, device: torch.device, dtype: torch.dtype, options: EngineOptions) -> MossTTSDelay:
        """See `Checkpoint`."""
        from moss_stream.families.delay.load import load_delay

        return load_delay(self.folder, device, dtype, options)

    def prompts(self, max_rows: int) -> DelayPrompts:
        """See `Checkpoint`."""
        from moss_stream.families.delay.prompt import DelayPrompts
        from moss_stream.families.tokenizer import ChatTokenizer

        return DelayPrompts(self.config, ChatTokenizer(self.folder))
