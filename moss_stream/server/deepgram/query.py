"""What the addresses of Deepgram's clients say: whose voice, and in which format."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from moss_stream.formats.output import AudioFormat, Container
from moss_stream.formats.pcm import Encoding
from moss_stream.formats.tempo import FASTEST, SLOWEST
from moss_stream.server.http.problems import Problem
from moss_stream.server.state import State

__all__ = ["SpeakQuery"]

_RAW: dict[str, Encoding] = {"linear16": "pcm_s16le", "mulaw": "pcm_mulaw", "alaw": "pcm_alaw"}
_RATES_HZ = {
    "linear16": 24_000,
    "mulaw": 8000,
    "alaw": 8000,
    "mp3": 22_050,
    "opus": 48_000,
    "flac": 48_000,
    "aac": 22_050,
}
"""If none is asked for."""
_CONTAINERS: dict[str, tuple[str, ...]] = {
    "linear16": ("wav", "none"),
    "mulaw": ("wav", "none"),
    "alaw": ("wav", "none"),
    "opus": ("ogg",),
}
"""Which an encoding may be in, the usual one first."""
THEIRS = "aura-"
"""How names of the original service's voices begin."""


class SpeakQuery(BaseModel):
    """Of a request or a socket; what is not known is passed over."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    model: Annotated[str, Field(max_length=100)] = ""
    encoding: Literal["linear16", "mulaw", "alaw", "mp3", "opus", "flac", "aac"] | None = None
    container: Annotated[str, Field(max_length=20)] | None = None
    sample_rate: Annotated[int, Field(ge=8000, le=48_000)] | None = None
    bit_rate: Annotated[int, Field(ge=4000, le=650_000)] | None = None
    speed: Annotated[float, Field(ge=SLOWEST, le=FASTEST)] = 1.0

    async def voice_in(self, state: State) -> str | None:
        """Return the voice's name; those of the original service stand for the default voice."""
        is_theirs = self.model.startswith(THEIRS) and not await state.knows_voice(self.model)
        return None if is_theirs else self.model

    def file(self) -> AudioFormat:
        """Return how one request is answered: with MP3, unless it says.

        Raises:
            Problem: The encoding does not come in the container.
            ConfigError: There is no such audio.
        """
        encoding = self.encoding or "mp3"
        known = _CONTAINERS.get(encoding, ("none",))
        container = self.container or known[0]
        if container not in known:
            message = f"{encoding} comes in {' or '.join(known)}."
            raise Problem(400, "unsupported_audio_format", message, "container")
        rate = self.sample_rate or _RATES_HZ[encoding]
        if encoding in _RAW:
            kind: Container = "wav" if container == "wav" else "raw"
            return AudioFormat(kind, _RAW[encoding], rate, speed=self.speed)
        coded: Container = encoding  # type: ignore[assignment]
        return AudioFormat(coded, rate=rate, bit_rate=self.bit_rate, speed=self.speed)

    def raw(self) -> AudioFormat:
        """Return what a socket sends: samples without a header.

        Raises:
            Problem: The encoding has one.
        """
        encoding = self.encoding or "linear16"
        if encoding not in _RAW:
            message = f"A socket sends {', '.join(_RAW)}. Ask by POST for {encoding}."
            raise Problem(400, "unsupported_audio_format", message, "encoding")
        rate = self.sample_rate or _RATES_HZ[encoding]
        return AudioFormat("raw", _RAW[encoding], rate, speed=self.speed)
