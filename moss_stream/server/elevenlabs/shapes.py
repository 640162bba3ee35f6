"""What clients of ElevenLabs send; what is not known, or has no meaning for this model, is passed over."""

from __future__ import annotations

import re
from typing import Annotated, Any

from pydantic import AliasChoices, BaseModel, BeforeValidator, ConfigDict, Field

from moss_stream import SynthesisOptions
from moss_stream.config import Language, Seed
from moss_stream.formats.tempo import FASTEST, SLOWEST
from moss_stream.languages import language_name
from moss_stream.server.state import State

__all__ = ["ContextMessage", "TextRequest", "VoiceSettings", "voice_named"]

_THEIRS = re.compile(r"[A-Za-z0-9]{20}")
"""Names of the original service's voices."""


async def voice_named(name: str, state: State) -> str | None:
    """Return the voice for a name in an address; those of the original service stand for the default."""
    is_theirs = _THEIRS.fullmatch(name) is not None and not await state.knows_voice(name)
    return None if is_theirs else name


class _Loose(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True)


class VoiceSettings(_Loose):
    """Of these the model knows one."""

    speed: Annotated[float, Field(ge=SLOWEST, le=FASTEST)] | None = None


class TextRequest(_Loose):
    """A text to speak, and how."""

    text: str
    language_code: Language | None = None
    voice_settings: VoiceSettings | None = None
    seed: Seed | None = None

    @property
    def speed(self) -> float:
        """How fast the client wants it."""
        return _speed(self.voice_settings)

    def options(self) -> SynthesisOptions:
        """Return how to speak."""
        return SynthesisOptions(seed=self.seed or 0, language=language_name(self.language_code))


def _nothing_of_null(value: Any) -> Any:
    return False if value is None else value


Flag = Annotated[bool, BeforeValidator(_nothing_of_null)]


class ContextMessage(_Loose):
    """Any message on a socket: they have no types, only fields."""

    text: str | None = None
    context_id: Annotated[str, Field(max_length=200)] | None = Field(
        None, validation_alias=AliasChoices("context_id", "contextId")
    )
    flush: Flag = False
    close_context: Flag = False
    close_socket: Flag = False
    voice_settings: VoiceSettings | None = None
    xi_api_key: str | None = Field(None, validation_alias=AliasChoices("xi_api_key", "xi-api-key"))
    authorization: str | None = None

    @property
    def speed(self) -> float:
        """How fast the client wants what follows."""
        return _speed(self.voice_settings)


def _speed(settings: VoiceSettings | None) -> float:
    return 1.0 if settings is None or settings.speed is None else settings.speed
