"""What clients of Cartesia send; what is not known is passed over."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from moss_stream import SynthesisOptions
from moss_stream.config import Language
from moss_stream.formats.pcm import Encoding
from moss_stream.server.languages import language_name
from moss_stream.server.state import State

__all__ = ["BytesRequest", "Order", "OutputFormat"]


class _Loose(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True)


class VoiceChoice(_Loose):
    """Whose voice; embeddings are not known here."""

    id: str | None = None


class OutputFormat(_Loose):
    """Of the audio, which is mono."""

    container: Literal["raw", "wav"] = "raw"
    encoding: Encoding = "pcm_s16le"
    sample_rate: Annotated[int, Field(ge=8000, le=48_000)] = 24_000


class BytesRequest(_Loose):
    """A text to speak, and how."""

    transcript: str = ""
    voice: VoiceChoice = VoiceChoice()
    language: Language | None = None
    output_format: OutputFormat = OutputFormat()

    def voice_in(self, state: State) -> str | None:
        """Return the voice's name; those of the original service stand for the default voice."""
        return self.voice.id if state.knows_voice(self.voice.id) else None

    def options(self) -> SynthesisOptions:
        """Return how to speak."""
        return SynthesisOptions(language=language_name(self.language))


class Order(BytesRequest):
    """A message on a socket."""

    context_id: Annotated[str, Field(max_length=200)] = ""
    goes_on: Annotated[bool, Field(alias="continue")] = False
    flush: bool = False
    cancel: bool = False
    add_timestamps: bool = False
