"""What clients of Cartesia send; what is not known is passed over."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from moss_stream import SynthesisOptions
from moss_stream.config import Language
from moss_stream.formats.output import AudioFormat
from moss_stream.formats.pcm import Encoding
from moss_stream.languages import language_name
from moss_stream.server.state import State

__all__ = ["GenerationRequest", "Order", "OutputFormat"]

PACES = {"slow": 0.8, "normal": 1.0, "fast": 1.2}
"""Of the field `speed`, whose clients name no numbers: a fifth is heard, and nobody stumbles over it."""


class _Loose(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True)


class VoiceChoice(_Loose):
    """Whose voice; embeddings are not known here."""

    id: str | None = None


def _choice(voice: Any) -> Any:
    return {"id": voice} if isinstance(voice, str) else voice


class OutputFormat(_Loose):
    """Of the audio, which is mono."""

    container: Literal["raw", "wav", "mp3"] = "raw"
    encoding: Encoding = "pcm_s16le"
    sample_rate: Annotated[int, Field(ge=8000, le=48_000)] = 24_000
    bit_rate: Annotated[int, Field(ge=8000, le=320_000)] | None = None


class GenerationConfig(_Loose):
    """How it is spoken; of emotions the model knows none by name."""

    speed: Annotated[float, Field(ge=0.6, le=2.0)] = 1.0
    volume: Annotated[float, Field(ge=0.5, le=2.0)] = 1.0


class GenerationRequest(_Loose):
    """A text to speak, and how."""

    transcript: str = ""
    voice: Annotated[VoiceChoice, BeforeValidator(_choice)] = VoiceChoice()
    language: Language | None = None
    locale: Language | None = None
    output_format: OutputFormat = OutputFormat()
    generation_config: GenerationConfig | None = None
    speed: Literal["slow", "normal", "fast"] | None = None
    add_timestamps: bool | None = None
    context_id: Annotated[str, Field(max_length=200)] | None = None
    max_buffer_delay_ms: Annotated[int, Field(ge=0, le=5000)] | None = None

    async def voice_in(self, state: State) -> str | None:
        """Return the voice's name; those of the original service stand for the default voice."""
        return self.voice.id if await state.knows_voice(self.voice.id) else None

    def options(self) -> SynthesisOptions:
        """Return how to speak."""
        language = language_name(self.language or self.locale)
        if self.max_buffer_delay_ms is None:
            return SynthesisOptions(language=language)
        return SynthesisOptions(language=language, max_wait_ms=self.max_buffer_delay_ms)

    def audio(self) -> AudioFormat:
        """Return how the audio is sent.

        Raises:
            ConfigError: There is no such audio.
        """
        wanted, config = self.output_format, self.generation_config or GenerationConfig()
        speed = PACES[self.speed] if self.speed else config.speed
        return AudioFormat(
            wanted.container, wanted.encoding, wanted.sample_rate, 1, wanted.bit_rate, speed, config.volume
        )


class Order(GenerationRequest):
    """A message on a socket."""

    goes_on: Annotated[bool | None, Field(alias="continue")] = None
    flush: bool | None = None
    cancel: bool | None = None
