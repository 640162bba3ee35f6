"""The control messages of `WS /v1/speak`; docs/protocol.md is made from them."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

from moss_stream import SamplingOptions, Spoken, SynthesisOptions, Word
from moss_stream.config import Codebooks, Language, PromptText, Seed
from moss_stream.formats.pcm import Encoding
from moss_stream.metrics import StreamMetrics

__all__ = ["FROM_CLIENT", "TO_CLIENT", "ClientMessage", "ServerMessage"]

MAX_PLAYED_S = 2**32 / 1000
"""Where the milliseconds of the audio's header end: 49 days."""

StreamNumber = Annotated[int, Field(ge=0, lt=2**32, description="Chosen by the client.")]


class _Message(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True)

    stream: StreamNumber = 0


class Start(_Message):
    """Open a stream."""

    type: Literal["start"] = "start"
    voice: str | None = Field(None, max_length=100, description="A name that /v1/audio/voices lists.")
    seed: Seed = 0
    n_vq: Codebooks | None = Field(None, description="Codebooks to use; all, if not given.")
    first_n_vq: Codebooks | None = Field(
        None, description="Of the first frame, where codebooks come one after the other; see docs/models.md."
    )
    language: Language | None = None
    instruction: PromptText | None = None
    max_wait_ms: int = Field(300, ge=0, le=60_000, description="Pause after which single words are spoken.")
    sampling: SamplingOptions | None = None
    sample_rate: int | None = Field(
        None, ge=8000, le=48_000, description="Wanted of the audio, in Hz; the model's own, if not given."
    )
    channels: Literal[1, 2] = Field(1, description="That the client plays; with 2 a stereo model is stereo.")
    encoding: Encoding = Field("pcm_s16le", description="Wanted of the audio; a call has its own.")

    def options(self) -> SynthesisOptions:
        """Return how to speak."""
        about_audio = {"sample_rate", "channels", "encoding"}
        return SynthesisOptions(**self.model_dump(exclude={"type", "stream", "voice"} | about_audio))


class Text(_Message):
    """Give the next piece of text, cut anywhere."""

    type: Literal["text"] = "text"
    text: str
    end: bool = Field(False, description="No more text comes; a whole text is always spoken alike.")


class Flush(_Message):
    """Speak what was given, without waiting for its sentence to end."""

    type: Literal["flush"] = "flush"


class End(_Message):
    """Say that no more text comes."""

    type: Literal["end"] = "end"


class Cancel(_Message):
    """Stop the stream now."""

    type: Literal["cancel"] = "cancel"


class Played(_Message):
    """Report how much of the stream was really played."""

    type: Literal["played"] = "played"
    seconds: float = Field(ge=0, le=MAX_PLAYED_S, allow_inf_nan=False)


ClientMessage = Start | Text | Flush | End | Cancel | Played
FROM_CLIENT: TypeAdapter[ClientMessage] = TypeAdapter(Annotated[ClientMessage, Field(discriminator="type")])


class StartedMessage(_Message):
    """The stream is open; how its audio comes."""

    type: Literal["started"] = "started"
    sample_rate: int
    channels: int = Field(1, description="2 is stereo: left and right take turns. Of mono it is left out.")
    encoding: Encoding = Field("pcm_s16le", description="Of its samples. Of int16 it is left out.")
    expected_rtf: float | None = Field(
        None,
        description="Seconds that the machine is expected to need for a second of audio, as measured; "
        "with more than 1, collect audio before you play.",
    )


class SpeedMessage(_Message):
    """The machine has become slower or faster than was told."""

    type: Literal["speed"] = "speed"
    expected_rtf: float


class WordsMessage(_Message):
    """Words of the text that was given, and when they are spoken; times are estimates."""

    type: Literal["words"] = "words"
    words: list[Word]


class FlushedMessage(_Message):
    """All audio of what was flushed was sent."""

    type: Literal["flushed"] = "flushed"


class DoneMessage(_Message):
    """All audio of the stream was sent."""

    type: Literal["done"] = "done"
    metrics: StreamMetrics


class CancelledMessage(_Message):
    """The stream is stopped. Audio of it that still arrives, of an older generation, must not be played."""

    type: Literal["cancelled"] = "cancelled"
    generation: int
    spoken: Spoken


class ErrorMessage(BaseModel):
    """A stream failed, or an order could not be carried out (then it has no stream of its own)."""

    type: Literal["error"] = "error"
    stream: int | None
    code: str
    message: str
    retry_after_s: float | None = Field(
        None, description="When to try again, in seconds; null where that would not help."
    )


ServerMessage = (
    StartedMessage
    | SpeedMessage
    | WordsMessage
    | FlushedMessage
    | DoneMessage
    | CancelledMessage
    | ErrorMessage
)
TO_CLIENT: TypeAdapter[ServerMessage] = TypeAdapter(Annotated[ServerMessage, Field(discriminator="type")])
