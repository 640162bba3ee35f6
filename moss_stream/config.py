"""Options, as frozen values that are checked when they are made."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from moss_stream.errors import ConfigError
from moss_stream.quote import MAX_QUOTE, brief, complaint, quoted
from moss_stream.text.lexicon import Lexicon

__all__ = [
    "AUDITION",
    "MAX_PROMPT_TEXT",
    "MAX_SOUND_S",
    "ChannelSampling",
    "Codebooks",
    "EngineOptions",
    "Language",
    "PromptText",
    "SamplingOptions",
    "Seed",
    "SynthesisOptions",
    "Tokens",
]

AUDITION = (
    "Good morning. It is a pleasure to meet you, and I am glad that you came. Shall we sit down by the "
    "window? From there you can see the harbour, and the ships that leave in the evening."
)
"""About ten seconds of speech, with a question in it: enough to know a voice by."""
MAX_SOUND_S = 120.0
"""1,500 of the 4,096 rows that a prompt and its audio share."""
LEAST_TEMPERATURE = 1e-30
"""Logits, of up to some thousands, divided by less do not fit into a float32."""
SHOWN_PROBLEMS = 3
"""An error is read as a sentence; more than three make a list."""

Seed = Annotated[int, Field(ge=0, lt=2**63)]
"""An int64, as the sampler takes it."""
Codebooks = Annotated[int, Field(ge=1, le=1024)]
"""The models of this family have at most 32; an engine says how many its own model has."""
Tokens = Annotated[int, Field(ge=1, le=100_000)]
"""More than two hours, and more than any context holds."""
Language = Annotated[str, Field(max_length=64)]
"""The longest names of languages have 50 characters."""
MAX_PROMPT_TEXT = 2000
"""A long paragraph: about 500 of the 4,096 rows that a prompt and its audio share."""
PromptText = Annotated[str, Field(max_length=MAX_PROMPT_TEXT)]
TagName = Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9_-]{0,39}$")]


class _Options(BaseModel):
    """A frozen model whose bad values raise `ConfigError` with a sentence."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False, arbitrary_types_allowed=True)

    def __init__(self, **values: Any) -> None:
        try:
            super().__init__(**values)
        except ValidationError as error:
            raise ConfigError(_sentence(type(self).__name__, error)) from error

    def replace(self, **changes: Any) -> Self:
        """Return a copy with `changes`, checked like a new one."""
        return type(self)(**{**dict(self), **changes})


def _sentence(name: str, error: ValidationError) -> str:
    problems = error.errors(include_url=False)
    lines = []
    for problem in problems[:SHOWN_PROBLEMS]:
        where = brief(".".join(str(part) for part in problem["loc"]) or "value", MAX_QUOTE)
        if problem["type"] == "extra_forbidden":
            lines.append(f"{where} is not an option")
        else:
            lines.append(f"{where}={quoted(problem['input'])}: {complaint(problem)}")
    if len(problems) > SHOWN_PROBLEMS:
        lines.append(f"and {len(problems) - SHOWN_PROBLEMS} more")
    return brief(f"{name}: {'; '.join(lines)}.")


class ChannelSampling(_Options):
    """How one channel of a row is sampled.

    The order is the reference implementation's: repetition penalty, temperature, top-k, top-p. A
    temperature of 0 takes the most likely value and applies nothing else, the penalty included.
    """

    temperature: float = Field(default=1.0, ge=0.0, le=10.0)
    top_p: float = Field(default=1.0, gt=0.0, le=1.0)
    top_k: int = Field(
        default=0, ge=0, lt=2**31, description="0 keeps every value; ties with the k-th value are kept."
    )
    repetition_penalty: float = Field(default=1.0, ge=0.1, le=10.0)

    @field_validator("temperature")
    @classmethod
    def _fits_a_float32(cls, temperature: float) -> float:
        if 0.0 < temperature < LEAST_TEMPERATURE:
            raise ValueError(f"give 0, which takes the most likely value, or at least {LEAST_TEMPERATURE}")
        return temperature


class SamplingOptions(_Options):
    """How rows are sampled; the defaults are those of the reference implementation.

    `audio` holds for every codebook, or is a tuple with one entry per codebook (the last one holds
    for the rest). The repetition penalty never applies to the text channel.
    """

    text: ChannelSampling = ChannelSampling(temperature=1.5, top_p=1.0, top_k=50)
    audio: ChannelSampling | Annotated[tuple[ChannelSampling, ...], Field(max_length=1024)] = ChannelSampling(
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
    r"""What one stream asks for.

    `sampling` is how rows are sampled (None: as the model's `sampling.json` says, and without one as the
    reference implementation does). `n_vq` is the number of codebooks to generate and decode (None: all
    the model has; fewer are faster and sound rougher). Where a model makes the codebooks of a frame one row
    after the other (MossTTSDelay), `first_n_vq` of them are heard of the first frame and one more with each
    frame after it, up to `n_vq`: audio begins early, and the voice is whole soon. `tokens` is the wanted
    length of the whole text in frames of 80 ms; with it the text is spoken as one segment. The words from
    `language` (64 characters at most) to `ambient_sound` (2,000 characters each) go into the model's prompt
    as they are. `max_wait_ms`: when the text pauses for this long and the listener is about to run dry, the
    words that are there are spoken.

    What stands in one of the `hidden_tags` is never read out; a tag that is not closed hides the rest
    of the text. Formulas between `$`, `$$`, `\(` and `\)`, `\[` and `\]` are read if they are as simple
    as x + 1, and dropped otherwise. The words of the `lexicon` are read out as it spells them.
    """

    sampling: SamplingOptions | None = None
    seed: Seed = 0
    n_vq: Codebooks | None = None
    first_n_vq: Codebooks | None = None
    tokens: Tokens | None = None
    language: Language | None = None
    instruction: PromptText | None = None
    quality: PromptText | None = None
    sound_event: PromptText | None = None
    ambient_sound: PromptText | None = None
    trace: bool = Field(default=False, description="Note every event of the stream, for a plot.")
    max_wait_ms: int = Field(
        default=300, ge=0, le=60_000, description="Pause in the text after which single words are spoken."
    )
    hidden_tags: tuple[TagName, ...] = Field(
        default=("think", "thinking", "reasoning", "tool_call", "function_call"),
        max_length=32,
        description="Tags whose content is not read out, such as `<think>...</think>`.",
    )
    history_s: float | None = Field(
        default=None,
        ge=0.0,
        le=600.0,
        description="Audio carried into the next segment; None: the model's.",
    )
    lexicon: Lexicon | None = Field(
        default=None,
        description="How words are pronounced (a mapping will do); None: as the synthesizer's lexicon says.",
    )

    @field_validator("lexicon", mode="before")
    @classmethod
    def _is_lexicon(cls, given: object) -> object:
        return Lexicon(given) if isinstance(given, Mapping) else given


class EngineOptions(_Options):
    """How the model runs, fixed when it is loaded.

    `text_head="pair"` samples the text channel between "one more frame" and "end of audio" and
    loads only those two rows of the head; `"full"` samples over all text ids as the reference does.
    """

    text_head: Literal["pair", "full"] = "pair"
    max_context: int = Field(default=4096, ge=64, le=131_072, description="Rows the KV cache holds.")
    prefill_chunk: int = Field(default=256, ge=1, le=131_072, description="Rows of one prefill step.")
    max_lead_ms: int = Field(
        default=2000, ge=80, le=3_600_000, description="Audio made ahead of the listener; an hour at most."
    )
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
    voice_cache: int = Field(default=64, ge=1, le=65_536, description="Encoded recordings that are kept.")
    voice_folder: Path | None = Field(default=None, description="Where they are kept on disk too.")
    threads: int | None = Field(
        default=None,
        ge=1,
        le=1024,
        description="CPU threads; None: one for a small model, else PyTorch's number.",
    )
    depth_int8: bool = Field(
        default=False,
        description="Weights of the depth transformer in 8 bits: fewer bytes for each frame, other codes; on "
        "a GPU it pays for up to 8 streams.",
    )
    backbone_int8: bool = Field(
        default=False,
        description="Weights of the backbone in 8 bits: half of their memory, while they are loaded too, and "
        "other codes; on a GPU it pays in time for up to 8 streams.",
    )
    compiled: bool | None = Field(
        default=None,
        description="On CPU, compute frames with loops that are compiled for this CPU, in float32, on one "
        "thread; None: if that is faster than PyTorch.",
    )
    pack_weights: bool = Field(default=True, description="On CPU, keep weights in oneDNN's layout.")
