"""What Home Assistant is told of the server: its voices."""

from __future__ import annotations

from typing import Any

from moss_stream import __version__
from moss_stream.languages import LANGUAGES
from moss_stream.server.state import State

__all__ = ["describe"]

DEFAULT = "default"
"""The voice of a model that has none by name."""
ATTRIBUTION = {"name": "moss-stream", "url": "https://github.com/OpenMOSS/MOSS-TTS"}


def describe(state: State) -> dict[str, Any]:
    """Return the data of an `info` event."""
    own = {name: voice.description for name, voice in state.synth.voices.items()}
    voices = {**own, **dict.fromkeys(state.store.names(), "")} or {DEFAULT: ""}
    program = {
        **_artifact("moss-stream", state.synth.info.description),
        "voices": [
            {**_artifact(name, about or name), "languages": [*LANGUAGES]} for name, about in voices.items()
        ],
        "supports_synthesize_streaming": True,
    }
    others = ("asr", "handle", "intent", "wake", "mic", "snd")
    return {"tts": [program], **{kind: [] for kind in others}}


def _artifact(name: str, description: str) -> dict[str, Any]:
    return {
        "name": name,
        "description": description,
        "attribution": ATTRIBUTION,
        "installed": True,
        "version": __version__,
    }
