"""The four models that MossTTSDelay is the architecture of: what each is for, and how it is sampled."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from moss_stream.config import ChannelSampling, SamplingOptions
from moss_stream.uses import Use

__all__ = ["DelayKind", "kind_of"]

DIALOGUE_S = 60.0
"""TTSD makes whole dialogues in one go: a minute of what was said keeps every speaker's manner at hand."""


@dataclass(frozen=True, slots=True)
class DelayKind:
    """A model of the four."""

    mark: str
    """What its repository's name has, in small letters."""
    uses: frozenset[Use]
    sampling: SamplingOptions
    """The defaults of its model card."""
    history_s: float = 20.0
    """See `EngineInfo.history_s`."""
    reads_phonetics: bool = False
    """See `EngineInfo.reads_phonetics`."""


def _sampling(temperature: float, top_p: float, top_k: int, penalty: float) -> SamplingOptions:
    return SamplingOptions(
        audio=ChannelSampling(temperature=temperature, top_p=top_p, top_k=top_k, repetition_penalty=penalty)
    )


_SPEECH = DelayKind(
    "moss-tts", frozenset({Use.SPEECH, Use.DIALOGUE}), _sampling(1.7, 0.8, 25, 1.0), reads_phonetics=True
)
_DIALOGUE = DelayKind(
    "moss-ttsd", frozenset({Use.SPEECH, Use.DIALOGUE}), _sampling(1.1, 0.9, 50, 1.1), DIALOGUE_S
)
_VOICE = DelayKind(
    "moss-voicegenerator", frozenset({Use.SPEECH, Use.VOICE_DESIGN}), _sampling(1.5, 0.6, 50, 1.1)
)
_SOUND = DelayKind("moss-soundeffect", frozenset({Use.SOUND}), _sampling(1.5, 0.6, 50, 1.2))
_UNKNOWN = DelayKind("", frozenset(Use), _SPEECH.sampling, reads_phonetics=True)
"""A checkpoint that does not say what it is, perhaps of the user's own training, is asked for anything."""

_SMALL = 2048
"""Width of Qwen3-1.7B's hidden states, which only VoiceGenerator has."""
_FEW = 16
"""Codebooks of TTSD; MOSS-TTS has 32."""


def kind_of(folder: Path, raw: Mapping[str, Any]) -> DelayKind:
    """Tell which of the four a checkpoint is.

    Their configurations do not say it, so the name does: that of the folder, of the repository in the hub's
    cache, or the one in the configuration. Without a known one, what only one of them has.

    Args:
        folder: Of the checkpoint.
        raw: Its config.json.
    """
    cached = folder.parent.parent.name if folder.parent.name == "snapshots" else ""
    for name in (folder.name, cached, str(raw.get("_name_or_path", ""))):
        known = [kind for kind in (_DIALOGUE, _VOICE, _SOUND, _SPEECH) if kind.mark in name.lower()]
        if known:
            return known[0]
    language = raw.get("language_config")
    if isinstance(language, Mapping) and language.get("hidden_size") == _SMALL:
        return _VOICE
    return _DIALOGUE if raw.get("n_vq") == _FEW else _UNKNOWN
