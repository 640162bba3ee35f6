"""Options, as frozen values that are checked when they are made."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from moss_stream.errors import ConfigError

__all__ = ["ChannelSampling", "EngineOptions", "SamplingOptions", "SynthesisOptions"]


class _Options(BaseModel):
    """A frozen model whose bad values raise `ConfigError` with a sentence."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    def __init__(self, **values: Any) -> None:
        try:
            super().__init__(**values)
        except ValidationError as error:
            raise ConfigError(_sentence(type(self).__name__, error)) from error

    def replace(self, **changes: Any) -> Self:
        """Return a copy with `changes`, checked like a new one."""
        return type(self)(**{**dict(self), **changes})


def _sentence(name: str, error: ValidationError) -> str:
    lines = []
    for problem in error.errors():
        where = ".".join(str(part) for part in problem["loc"]) or "value"
        if problem["type"] == "extra_forbidden":
            lines.append(f"{where} is not an option")
        else:
            lines.append(f"{where}={problem['input']!r}: {problem['msg'].removeprefix('Value error, ')}")
    return f"{name}: {'; '.join(lines)}."


class ChannelSampling(_Options):
    """How one channel of a row is sampled.

    The order is the reference implementation's: repetition penalty, temperature, top-k, top-p. A
    temperature of 0 takes the most likely value and applies nothing else, the penalty included.
    """

    temperature: float = Field(default=1.0, ge=0.0, le=10.0)
    top_p: float = Field(default=1.0, gt=0.0, le=1.0)
    top_k: int = Field(default=0, ge=0, description="0 keeps every value; ties with the k-th value are kept.")
    repetition_penalty: float = Field(default=1.0, ge=0.1, le=10.0)


class SamplingOptions(_Options):
    """How rows are sampled; the defaults are those of the reference implementation.

    `audio` holds for every codebook, or is a tuple with one entry per codebook (the last one holds
    for the rest). The repetition penalty never applies to the text channel.
    """

    text: ChannelSampling = ChannelSampling(temperature=1.5, top_p=1.0, top_k=50)
    audio: ChannelSampling | tuple[ChannelSampling, ...] = ChannelSampling(
        temperature=1.0, top_p=0.95, top_k=50, repetition_penalty=1.1
    )

    @model_validator(mode="after")
    def _text_has_no_penalty(self) -> Self:
        if self.text.repetition_penalty != 1.0:
            raise ValueError("the text channel takes no repetition_penalty, leave it at 1.0")
        if self.audio == ():
            raise ValueError("audio needs at least one entry")
        return self

    def channels(self, num_codebooks: int) -> list[ChannelSampling]:
        """Return the options of the text channel and of each of `num_codebooks` codebooks."""
        audio = self.audio if isinstance(self.audio, tuple) else (self.audio,)
        padded = [*audio, *[audio[-1]] * num_codebooks]
        return [self.text, *padded[:num_codebooks]]


class SynthesisOptions(_Options):
    """What one stream asks for.

    `sampling` is how rows are sampled (None: as the model's `sampling.json` says, and without one as the
    reference implementation does). `n_vq` is the number of codebooks to generate and decode (None: all
    the model has; fewer are faster and sound rougher). `tokens` is the wanted length of the whole text
    in frames of 80 ms; with it the text is spoken as one segment. The words from `language` to
    `ambient_sound` go into the model's prompt as they are. `max_wait_ms`: when the text pauses for this long
    and the listener is about to run dry, the words that are there are spoken.
    """

    sampling: SamplingOptions | None = None
    seed: int = Field(default=0, ge=0, lt=2**63)
    n_vq: int | None = Field(default=None, ge=1)
    tokens: int | None = Field(default=None, ge=1, le=100_000)
    language: str | None = None
    instruction: str | None = None
    quality: str | None = None
    sound_event: str | None = None
    ambient_sound: str | None = None
    trace: bool = Field(default=False, description="Note every event of the stream, for a plot.")
    max_wait_ms: int = Field(
        default=300, ge=0, le=60_000, description="Pause in the text after which single words are spoken."
    )
    history_s: float | None = Field(
        default=None,
        ge=0.0,
        le=600.0,
        description="Audio carried into the next segment; None: the model's.",
    )


class EngineOptions(_Options):
    """How the model runs, fixed when it is loaded.

    `text_head="pair"` samples the text channel between "one more frame" and "end of audio" and
    loads only those two rows of the head; `"full"` samples over all text ids as the reference does.
    """

    text_head: Literal["pair", "full"] = "pair"
    max_context: int = Field(default=4096, ge=64, le=131_072, description="Rows the KV cache holds.")
    prefill_chunk: int = Field(default=256, ge=1, description="Rows of one prefill step.")
    max_lead_ms: int = Field(default=2000, ge=80, description="Audio made ahead of the listener.")
    max_streams: int = Field(default=8, ge=1, le=256, description="Streams that are spoken at the same time.")
    fixed_batch: bool = Field(
        default=False,
        description="Always compute max_streams, so that a seed gives the same codes in any company.",
    )
    max_queue: int = Field(
        default=32, ge=0, le=65_536, description="Streams that wait until they can be spoken."
    )
    max_queue_s: float | None = Field(
        default=None, gt=0.0, le=3600.0, description="How long each of them waits; None: until it is spoken."
    )
    voice_cache: int = Field(default=64, ge=1, description="Encoded recordings that are kept.")
    voice_folder: Path | None = Field(default=None, description="Where they are kept on disk too.")
    threads: int | None = Field(
        default=None, ge=1, description="CPU threads; None: one for a small model, else PyTorch's number."
    )
    depth_int8: bool = Field(
        default=False,
        description="Weights of the depth transformer in 8 bits: fewer bytes for each frame, other codes; on "
        "a GPU it pays for up to 8 streams.",
    )
    compiled: bool | None = Field(
        default=None,
        description="On CPU, compute frames with loops that are compiled for this CPU, in float32, on one "
        "thread; None: if that is faster than PyTorch.",
    )
    pack_weights: bool = Field(default=True, description="On CPU, keep weights in oneDNN's layout.")
