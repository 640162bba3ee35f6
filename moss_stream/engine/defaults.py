"""How a model is best used, when a stream does not say."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from moss_stream.config import SamplingOptions, SynthesisOptions
from moss_stream.errors import ConfigError, CorruptCheckpoint
from moss_stream.hub import read_json

__all__ = ["SAMPLING_FILE", "Defaults", "read_defaults"]

SAMPLING_FILE = "sampling.json"


@dataclass(frozen=True)
class Defaults:
    """How a model is best used."""

    sampling: SamplingOptions = field(default_factory=SamplingOptions)
    history_s: float = 20.0
    """Audio carried into the next segment; a model that was trained on less is lost with more."""


def read_defaults(model: Path, sampling: SamplingOptions) -> Defaults:
    """Return how a model wants to be used: its sampling.json, or its family's `sampling`.

    Raises:
        CorruptCheckpoint: The file holds no such options.
    """
    if not (model / SAMPLING_FILE).is_file():
        return Defaults(sampling)
    raw = read_json(model, SAMPLING_FILE)
    history_s = raw.pop("history_s", Defaults.history_s)
    try:
        SynthesisOptions(history_s=history_s)
        return Defaults(SamplingOptions(**raw), history_s)
    except ConfigError as error:
        raise CorruptCheckpoint(f"{model / SAMPLING_FILE} is damaged: {error} Download it again.") from error
