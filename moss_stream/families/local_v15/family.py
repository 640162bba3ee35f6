"""MossTTSLocal v1.5 as a family; see `moss_stream.families.family` for what that is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from moss_stream.codec.formats import V2
from moss_stream.config import ChannelSampling, SamplingOptions
from moss_stream.families.local_v15.config import LocalV15Config
from moss_stream.nn.config import TransformerConfig
from moss_stream.uses import Use

if TYPE_CHECKING:
    import torch

    from moss_stream.config import EngineOptions
    from moss_stream.families.local_v15.network import MossTTSLocalV15
    from moss_stream.families.local_v15.prompt import LocalV15Prompts

__all__ = ["LocalV15", "LocalV15Checkpoint"]


class LocalV15:
    """Qwen3-4B, and a depth transformer of one layer over 12 codebooks."""

    name = "MOSS-TTS Local v1.5 (MossTTSLocal) with the MOSS-Audio-Tokenizer v2 codec (48 kHz stereo)"

    def owns(self, raw: Mapping[str, Any]) -> bool:
        """See `Family`."""
        return raw.get("model_type") == "moss_tts_local"

    def checkpoint(self, folder: Path, raw: Mapping[str, Any]) -> LocalV15Checkpoint:
        """See `Family`."""
        return LocalV15Checkpoint(folder, LocalV15Config.parse(raw, str(folder)))


@dataclass(frozen=True)
class LocalV15Checkpoint:
    """See `Checkpoint`."""

    folder: Path
    config: LocalV15Config

    sampling = SamplingOptions(
        text=ChannelSampling(temperature=1.0, top_p=1.0, top_k=50),
        audio=ChannelSampling(temperature=1.7, top_p=0.8, top_k=25, repetition_penalty=1.0),
    )
    """Of the model card; for the text channel, which the card does not speak of, of the reference's code."""
    history_s = 20.0
    """See `Checkpoint`."""
    uses = frozenset({Use.SPEECH})
    reads_phonetics = True
    codec = V2
    has_loops = False

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

    def network(self, device: torch.device, dtype: torch.dtype, options: EngineOptions) -> MossTTSLocalV15:
        """See `Checkpoint`."""
        from moss_stream.families.local_v15.load import load_local_v15

        return load_local_v15(self.folder, device, dtype, options)

    def prompts(self, max_rows: int) -> LocalV15Prompts:
        """See `Checkpoint`."""
        from moss_stream.families.local_v15.prompt import LocalV15Prompts
        from moss_stream.families.tokenizer import ChatTokenizer

        return LocalV15Prompts(self.config, ChatTokenizer(self.folder))
