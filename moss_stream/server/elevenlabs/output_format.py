"""Names of ElevenLabs' output formats, such as `pcm_24000` and `mp3_44100_128`."""

from __future__ import annotations

import re

from moss_stream.errors import ConfigError
from moss_stream.formats.output import AudioFormat
from moss_stream.quote import quoted
from moss_stream.server.http.problems import Problem

__all__ = ["DEFAULT", "audio_format"]

DEFAULT = "mp3_44100_128"
_NAME = re.compile(r"(pcm|wav|ulaw|alaw|mp3|opus)_(\d{4,5})(?:_(\d{2,3}))?")
MAX_KBIT = 320
"""The most that MP3 has; Opus takes more, and sounds no better for it."""


def audio_format(name: str, speed: float = 1.0) -> AudioFormat:
    """Return what a name stands for.

    Raises:
        Problem: There is no such format.
    """
    found = _NAME.fullmatch(name)
    if found is None or int(found[3] or 0) > MAX_KBIT:
        raise _unknown(name)
    kind, rate = found[1], int(found[2])
    bit_rate = int(found[3]) * 1000 if found[3] else None
    try:
        match kind:
            case "mp3" | "opus":
                return AudioFormat(
                    "mp3" if kind == "mp3" else "opus", rate=rate, bit_rate=bit_rate, speed=speed
                )
            case "ulaw" | "alaw":
                return AudioFormat("raw", "pcm_mulaw" if kind == "ulaw" else "pcm_alaw", rate, speed=speed)
            case _:
                return AudioFormat("wav" if kind == "wav" else "raw", rate=rate, speed=speed)
    except ConfigError as error:
        raise _unknown(name) from error


def _unknown(name: str) -> Problem:
    message = (
        f"There is no output format {quoted(name)}. There are pcm_8000 to pcm_48000, wav_…, ulaw_8000, "
        "alaw_8000, mp3_44100_128 and opus_48000_64 with their like."
    )
    return Problem(400, "output_format_not_allowed", message, "output_format")
