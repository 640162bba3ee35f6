"""The model card of the embedded voice."""

from __future__ import annotations

import json
from pathlib import Path

from training.report import Results, as_markdown
from training.settings import VoiceSettings

__all__ = ["model_card"]


def model_card(work: Path, settings: VoiceSettings) -> str:
    """Return the card, with the figures of `work`/evaluation.json if that is there."""
    results: Results = {}
    if (work / "evaluation.json").is_file():
        results = json.loads((work / "evaluation.json").read_text(encoding="utf-8"))
    speech, codec, corpus = settings.speech, settings.codec, settings.corpus
    notes = zip(corpus.voices, corpus.pitches_hz, strict=True)
    template = Path(__file__).with_name("card.md").read_text(encoding="utf-8")
    return template.format(
        pitches=", ".join(f"{hz:.0f} Hz ({voice})" for voice, hz in notes),
        layers=speech.layers,
        hidden=speech.hidden,
        depth_layers=speech.depth_layers,
        depth_hidden=speech.depth_hidden,
        codebooks=codec.num_codebooks,
        codebook_size=codec.codebook_size,
        voices=", ".join(f"`{voice}`" for voice in corpus.voices),
        default=corpus.voices[0],
        hours=speech.hours_per_voice * len(corpus.voices),
        figures=as_markdown(results) if results else "Not evaluated.",
    )
