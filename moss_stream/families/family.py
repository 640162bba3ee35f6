"""What a family of models is to the rest of the package, and which family a checkpoint belongs to."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from moss_stream.errors import UnsupportedModel
from moss_stream.families.delay.family import Delay
from moss_stream.families.local.family import Local
from moss_stream.families.local_v15.family import LocalV15
from moss_stream.families.realtime.family import Realtime
from moss_stream.hub import read_json
from moss_stream.quote import quoted
from moss_stream.uses import Use

if TYPE_CHECKING:
    import torch

    from moss_stream.codec.formats import CatFormat
    from moss_stream.config import EngineOptions, SamplingOptions
    from moss_stream.families.network import Network
    from moss_stream.nn.config import TransformerConfig
    from moss_stream.text.message import Codes, Message, Prompt

__all__ = ["FAMILIES", "Checkpoint", "Family", "Prompts", "find"]


class Prompts(Protocol):
    """Builds what a model reads."""

    def prompt(self, message: Message, prefix: Codes | None = None) -> Prompt:
        """Return the prompt of a message, after which the model speaks, or goes on after a prefix.

        Raises:
            TextError: The text has nothing to say, or the context no room for it.
        """

    def tokens(self, text: str) -> list[int]:
        """Return the ids of a piece of text that is read while it is spoken."""


class Checkpoint(Protocol):
    """A checkpoint of a family whose config.json was read and checked; nothing else was."""

    @property
    def num_codebooks(self) -> int:
        """Codebooks of a frame."""

    @property
    def codebook_size(self) -> int:
        """Codes of a codebook, without the pad."""

    @property
    def codec(self) -> CatFormat:
        """The codec that it was trained with."""

    @property
    def backbone(self) -> TransformerConfig:
        """The shape of the largest part."""

    @property
    def has_loops(self) -> bool:
        """Whether `moss_stream.cpu` has compiled loops for its network."""

    @property
    def sampling(self) -> SamplingOptions:
        """How rows are sampled when nobody says."""

    @property
    def history_s(self) -> float:
        """Audio that is carried into the next segment when nobody says."""

    @property
    def uses(self) -> frozenset[Use]:
        """What it can be asked for."""

    @property
    def reads_phonetics(self) -> bool:
        """Whether its makers say that it reads IPA and pinyin."""

    def network(self, device: torch.device, dtype: torch.dtype, options: EngineOptions) -> Network:
        """Load the weights.

        Raises:
            LoadError: See `moss_stream.errors`.
        """

    def prompts(self, max_rows: int) -> Prompts:
        """Load the tokenizer. Raises LoadError, too.

        Args:
            max_rows: What a prompt that remembers a dialogue may have; see `Prompt.num_forgotten`.
        """


class Family(Protocol):
    """Models of one architecture."""

    @property
    def name(self) -> str:
        """For people, with the codec that it speaks through."""

    def owns(self, raw: Mapping[str, Any]) -> bool:
        """Tell from a config.json whether a checkpoint is one of these."""

    def checkpoint(self, folder: Path, raw: Mapping[str, Any]) -> Checkpoint:
        """Check a config.json that it owns.

        Raises:
            CorruptCheckpoint: A field is missing or makes no sense.
            UnsupportedModel: It asks for what the network does not do.
        """


FAMILIES: tuple[Family, ...] = (Local(), LocalV15(), Realtime(), Delay())


def find(folder: Path, name: str | None = None) -> Checkpoint:
    """Return the checkpoint in a folder.

    Args:
        folder: With config.json, weights and tokenizer.
        name: Of the checkpoint in errors; None for its folder.

    Raises:
        UnsupportedModel: It belongs to no family here; the message says what it is.
        LoadError: Its config.json is missing or damaged.
    """
    raw = read_json(folder, "config.json")
    for family in FAMILIES:
        if family.owns(raw):
            return family.checkpoint(folder, raw)
    supported = ", ".join(family.name for family in FAMILIES)
    raise UnsupportedModel(
        f"{name or folder} is {_described(raw)}, which moss-stream cannot run. Supported: {supported}."
    )


_CODEC = "the MOSS-Audio-Tokenizer codec (give it as codec, not as model)"
_OTHERS = {
    "moss_tts_nano": "MOSS-TTS-Nano",
    "speech_tokenizer": _CODEC,
    "moss-audio-tokenizer": _CODEC,
}
"""What the checkpoints of the makers are that no family here owns, by model_type."""


def _described(raw: Mapping[str, Any]) -> str:
    model_type, named = str(raw.get("model_type")), raw.get("architectures")
    architecture = named[0] if isinstance(named, list) and named else "unknown"
    return _OTHERS.get(
        model_type,
        f"an unknown checkpoint (model_type {quoted(model_type)}, architecture {quoted(architecture)})",
    )
