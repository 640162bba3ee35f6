"""From what a caller calls a voice to the codes that the model is shown."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path

from moss_stream.engine.protocol import EngineInfo
from moss_stream.errors import AudioError
from moss_stream.option_checks import check_voice
from moss_stream.quote import quoted
from moss_stream.voice_file import VOICE_SUFFIX, load_voice
from moss_stream.voices import Reference, Voice

__all__ = ["FoundVoice", "VoiceFinder"]

FoundVoice = Callable[[], Awaitable[Voice | None]]
"""Finds a voice, which may take a while: its recording is encoded. Raises AudioError if it cannot be used."""


class VoiceFinder:
    """Finds voices by name, as they are, or in a recording.

    Args:
        info: The model they speak with.
        encode: Encodes a recording.
    """

    def __init__(self, info: EngineInfo, encode: Callable[[Reference], Awaitable[Voice]]) -> None:
        self._info = info
        self._encode = encode

    def find(self, wanted: Voice | Reference | None) -> FoundVoice:
        """Return what finds a voice; None leaves it to the model.

        Raises:
            AudioError: It was encoded for another model.
        """
        voice = self._info.voices.get(wanted, wanted) if isinstance(wanted, str) else wanted
        if isinstance(voice, Voice):
            check_voice(voice, self._info)

        async def found() -> Voice | None:
            if voice is None:
                return None
            return self._fitted(voice if isinstance(voice, Voice) else await self._recorded(voice))

        return found

    async def _recorded(self, reference: Reference) -> Voice:
        if isinstance(reference, str) and not await asyncio.to_thread(os.path.isfile, reference):
            names = ", ".join(self._info.voices) or "none"
            raise AudioError(
                f"There is no file {quoted(reference)}, nor a voice of that name. Give the path of a "
                f"recording, or a voice of this model: {names}."
            )
        if isinstance(reference, str | Path) and str(reference).endswith(VOICE_SUFFIX):
            voice = await asyncio.to_thread(load_voice, reference)
            check_voice(voice, self._info)
            return voice
        return await self._encode(reference)

    def _fitted(self, voice: Voice) -> Voice:
        """Return the voice with the codebooks that the model uses; those of its codec may be more."""
        used = self._info.num_codebooks
        return voice if voice.codes.shape[1] == used else replace(voice, codes=voice.codes[:, :used])
