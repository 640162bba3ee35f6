"""The sizes and choices of a voice, read from one small file."""

from __future__ import annotations

import tomllib
from pathlib import Path

from pydantic import BaseModel, ConfigDict

__all__ = ["FRAME_SAMPLES", "PATCH", "CodecSettings", "CorpusSettings", "SpeechSettings", "VoiceSettings"]

PATCH = 240
"""Samples of the codec's finest patch, 10 ms."""
FRAME_SAMPLES = 1_920
"""Of the embedded codec: 80 ms at 24 kHz."""


class _Settings(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class CorpusSettings(_Settings):
    """What is spoken, and by whom."""

    voices: tuple[str, ...]
    """flite's names of the voices."""
    hours_per_voice: float
    pitches_hz: tuple[float, ...]
    """The note of each voice, a multiple of 12.5 Hz."""
    held_out: int
    """Sentences kept for evaluation; no voice speaks them in training."""
    seed: int = 0


class CodecSettings(_Settings):
    """The shape and the training of the codec."""

    widths: tuple[int, int, int, int]
    """Of the transformers at 100, 50, 25 and 12.5 Hz."""
    layers: tuple[int, int, int, int]
    num_codebooks: int
    codebook_size: int
    codebook_dim: int
    rvq_dim: int
    steps: int
    warmup_steps: int
    adapt_steps: int
    """Of the encoder alone, which learns to hear speech with its natural pitch."""
    refine_steps: int
    """Of the decoder alone, after everything that decides about codes is frozen."""
    batch: int
    crop_frames: int
    """Length of a training crop in frames of 80 ms."""
    matrix_rate: float
    """Peak learning rate of the matrices (Muon)."""
    other_rate: float
    """Peak learning rate of everything else (AdamW)."""


class SpeechSettings(_Settings):
    """The shape and the training of the speech model."""

    hours_per_voice: float
    """Of speech, most of it more than the codec learns from."""
    layers: int
    hidden: int
    inner: int
    heads: int
    kv_heads: int
    head_dim: int
    depth_layers: int
    depth_hidden: int
    depth_inner: int
    bridge: int
    """Inner width of the MLPs between backbone and depth transformer."""
    steps: int
    warmup_steps: int
    batch_rows: int
    """Rows of a batch, padding included."""
    matrix_rate: float
    other_rate: float


class VoiceSettings(_Settings):
    """Everything about a voice."""

    corpus: CorpusSettings
    codec: CodecSettings
    speech: SpeechSettings

    @classmethod
    def read(cls, path: Path) -> VoiceSettings:
        """Read a TOML file.

        Raises:
            pydantic.ValidationError: A value is missing, unknown or of the wrong type.
        """
        return cls.model_validate(tomllib.loads(path.read_text(encoding="utf-8")))
