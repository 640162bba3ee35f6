"""What the endpoints share."""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

from fastapi import FastAPI

from moss_stream import StreamingSynthesizer, Voice
from moss_stream.formats.output import AudioEncoder, AudioFormat
from moss_stream.quote import quoted
from moss_stream.server.access import Access
from moss_stream.server.http.connections import Places
from moss_stream.server.http.problems import Problem
from moss_stream.server.settings import ServerSettings
from moss_stream.server.voice_store import VoiceStore

__all__ = ["State", "state_of"]


@dataclass(frozen=True)
class State:
    """Of one application."""

    synth: StreamingSynthesizer
    settings: ServerSettings
    access: Access
    store: VoiceStore
    places: Places

    def encoder(self, wanted: AudioFormat) -> AudioEncoder:
        """Return what makes one stream's audio so."""
        return AudioEncoder(wanted, self.synth.info.sample_rate, self.synth.info.channels)

    async def knows_voice(self, name: str | None) -> bool:
        """Tell whether there is a voice of that name."""
        return name is not None and (name in self.synth.voices or await self.store.get(name) is not None)

    async def voice(self, name: str | None) -> Voice | None:
        """Return a voice by its name: one of the model's, or an uploaded one.

        Clients of OpenAI always name one; the names of OpenAI's own voices stand for the default.

        Raises:
            Problem: There is no such voice.
        """
        if not name or name in OPENAI_VOICES:
            return None
        voice = self.synth.voices.get(name) or await self.store.get(name)
        if voice is None:
            known = [*self.synth.voices, *self.store.names()]
            more = ", …" if len(known) > SHOWN_VOICES else ""
            message = (
                f"There is no voice {quoted(name)}. There are: {', '.join(known[:SHOWN_VOICES])}{more}. "
                "GET /v1/audio/voices lists all."
            )
            raise Problem(400, "unknown_voice", message, "voice")
        return voice


SHOWN_VOICES = 10
"""In an error; there may be a thousand."""
OPENAI_VOICES = frozenset(
    "alloy ash ballad cedar coral echo fable marin nova onyx sage shimmer verse default".split()
)


def state_of(app: FastAPI) -> State:
    """Return what `create_app` put there."""
    return cast(State, app.state.moss)
