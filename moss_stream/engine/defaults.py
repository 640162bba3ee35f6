"""How a model is best used, when a stream does not say."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path

from moss_stream.config import SamplingOptions, SynthesisOptions
from moss_stream.errors import ConfigError, CorruptCheckpoint
from moss_stream.families.family import Checkpoint
from moss_stream.hub import read_json
from moss_stream.quote import quoted
from moss_stream.uses import Use

__all__ = ["SAMPLING_FILE", "Defaults", "read_defaults"]

SAMPLING_FILE = "sampling.json"
GENERATION_FILE = "generation_config.json"
_NAMES = ("temperature", "top_p", "top_k", "repetition_penalty")


@dataclass(frozen=True)
class Defaults:
    """How a model is best used."""

    sampling: SamplingOptions = field(default_factory=SamplingOptions)
    history_s: float = 20.0
    """Audio carried into the next segment; a model that was trained on less is lost with more."""
    uses: frozenset[Use] = frozenset({Use.SPEECH})
    """What the model can be asked for."""
    reads_phonetics: bool = False
    """It was trained with IPA between slashes and pinyin with tone numbers."""


def read_defaults(model: Path, checkpoint: Checkpoint) -> Defaults:
    """Return how a model wants to be used.

    That is what its sampling.json says or, without one, its family: the model card, and over it what
    the reference implementation's `generate` finds in a generation_config.json.

    Raises:
        CorruptCheckpoint: A file holds no such options.
    """
    card = Defaults(checkpoint.sampling, checkpoint.history_s, checkpoint.uses, checkpoint.reads_phonetics)
    if (model / GENERATION_FILE).is_file():
        card = replace(card, sampling=_generation(model, card.sampling))
    if not (model / SAMPLING_FILE).is_file():
        return card
    raw = read_json(model, SAMPLING_FILE)
    history_s = raw.pop("history_s", Defaults.history_s)
    reads_phonetics = raw.pop("reads_phonetics", card.reads_phonetics)
    try:
        SynthesisOptions(history_s=history_s)
        if not isinstance(reads_phonetics, bool):
            raise ConfigError(f"reads_phonetics={quoted(reads_phonetics)}: it is true or false.")
        return Defaults(SamplingOptions(**raw), history_s, card.uses, reads_phonetics)
    except ConfigError as error:
        raise CorruptCheckpoint(f"{model / SAMPLING_FILE} is damaged: {error} Download it again.") from error


def _generation(model: Path, card: SamplingOptions) -> SamplingOptions:
    """Return the options of a card with those that a generation_config.json gives for the two channels.

    What has no channel in its name is about the language model that the checkpoint was made from.
    """
    raw = read_json(model, GENERATION_FILE)
    try:
        channels = {
            channel: getattr(card, channel).replace(**given)
            for channel in ("text", "audio")
            if (given := {name: raw[f"{channel}_{name}"] for name in _NAMES if f"{channel}_{name}" in raw})
        }
        return card.replace(**channels)
    except ConfigError as error:
        raise CorruptCheckpoint(
            f"{model / GENERATION_FILE} is damaged: {error} Download it again."
        ) from error
