"""MOSS-TTS-Realtime as a family; see `moss_stream.families.family` for what that is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from moss_stream.codec.formats import V1
from moss_stream.config import ChannelSampling, SamplingOptions
from moss_stream.families.realtime.config import RealtimeConfig
from moss_stream.nn.config import TransformerConfig
from moss_stream.uses import Use

if TYPE_CHECKING:
    import torch

    from moss_stream.config import EngineOptions
    from moss_stream.families.realtime.network import MossTTSRealtime
    from moss_stream.families.realtime.prompt import RealtimePrompts

__all__ = ["Realtime", "RealtimeCheckpoint"]


class Realtime:
    """Qwen3-1.7B, and a depth transformer over 16 codebooks; reads its text while it speaks."""

    name = "MOSS-TTS-Realtime with the MOSS-Audio-Tokenizer v1 codec (24 kHz mono)"

    def owns(self, raw: Mapping[str, Any]) -> bool:
        """See `Family`."""
        return raw.get("model_type") == "moss_tts_realtime"

    def checkpoint(self, folder: Path, raw: Mapping[str, Any]) -> RealtimeCheckpoint:
        """See `Family`."""
        return RealtimeCheckpoint(folder, RealtimeConfig.parse(raw, str(folder)))


@dataclass(frozen=True)
class RealtimeCheckpoint:
    """See `Checkpoint`."""

    folder: Path
    config: RealtimeConfig

    sampling = SamplingOptions(
        audio=ChannelSampling(temperature=0.8, top_p=0.6, top_k=30, repetition_penalty=1.1)
    )
    """The reference implementation's defaults."""
    history_s = 20.0
    """See `Checkpoint`."""
    uses = frozenset({Use.SPEECH})
    reads_phonetics = False
    codec = V1
    has_loops = False

    @property
    def num_codebooks(self) -> int:
        """See `Checkpoint`."""
        return self.config.rvq

    @property
    def codebook_size(self) -> int:
        """See `Checkpoint`."""
        return self.config.audio_pad_token

    @property
    def backbone(self) -> TransformerConfig:
        """See `Checkpoint`."""
        return self.config.language_config

    def network(self, device: torch.device, dtype: torch.dtype, options: EngineOptions) -> MossTTSRealtime:
        """See `Checkpoint`."""
        from moss_stream.families.realtime.load import load_realtime

        return load_realtime(self.folder, device, dtype, options)

    def prompts(self, max_rows: int) -> RealtimePrompts:
        """See `Checkpoint`."""
        from moss_stream.families.realtime.prompt import RealtimePrompts
        from moss_stream.families.tokenizer import ChatTokenizer

        return RealtimePrompts(self.config, ChatTokenizer(self.folder), max_rows)
