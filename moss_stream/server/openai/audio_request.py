"""What every request for audio has: how it is sent, and how it is drawn."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from moss_stream.config import Codebooks, Seed, SynthesisOptions
from moss_stream.formats.output import AudioFormat
from moss_stream.formats.pcm import Encoding
from moss_stream.formats.tempo import FASTEST, SLOWEST

__all__ = ["AudioRequest", "VoiceName"]

Format = Literal["pcm", "wav", "flac", "mp3", "opus", "aac"]
PCM_RATE_HZ = 24_000
"""Of the format "pcm", which has no header to say it: OpenAI's is mono at this rate."""
VoiceName = Annotated[str, Field(max_length=100)]


class AudioRequest(BaseModel):
    """Fields with OpenAI's names. What is not known is passed over, as OpenAI does."""

    model_config = ConfigDict(extra="ignore")

    response_format: Format = "mp3"
    sample_rate: Annotated[int, Field(ge=8000, le=48_000)] | None = None
    encoding: Encoding = "pcm_s16le"
    """Of the formats "pcm" and "wav"."""
    speed: Annotated[float, Field(ge=SLOWEST, le=FASTEST)] = 1.0
    seed: Seed = 0
    n_vq: Codebooks | None = None
    first_n_vq: Codebooks | None = None

    def how(self) -> SynthesisOptions:
        """Return how it is drawn."""
        return SynthesisOptions(seed=self.seed, n_vq=self.n_vq, first_n_vq=self.first_n_vq)

    def audio(self) -> AudioFormat:
        """Return how the audio is sent: as the model makes it, but for what was asked."""
        if self.response_format == "pcm":
            return AudioFormat("raw", self.encoding, self.sample_rate or PCM_RATE_HZ, 1, speed=self.speed)
        return AudioFormat(
            self.response_format, self.encoding, self.sample_rate, channels=None, speed=self.speed
        )
