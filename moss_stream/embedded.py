"""The small voice that comes with the package."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

from moss_stream.errors import ModelNotFound

__all__ = ["EMBEDDED_NOTE", "embedded_model"]

LARGE_MODEL = "OpenMOSS-Team/MOSS-TTS-Local-Transformer"
EMBEDDED_NOTE = (
    "No model was named: speaking with the small embedded voice, English only. "
    f"For the large model, name it: {LARGE_MODEL}"
)


def embedded_model() -> Path:
    """Return the folder of the embedded voice's checkpoint.

    Raises:
        ModelNotFound: This installation was made without it.
    """
    folder = Path(str(files("moss_stream"))) / "assets" / "embedded"
    if not (folder / "config.json").is_file():
        raise ModelNotFound(
            "No model was named, and this version comes without a voice of its own. "
            f"Pass model={LARGE_MODEL!r} or a local folder."
        )
    return folder
