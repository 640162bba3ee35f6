"""Uploaded voices, by name, on disk."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from moss_stream import Voice
from moss_stream.quote import quoted
from moss_stream.server.problems import Problem

__all__ = ["StoredVoice", "VoiceStore"]

NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}")
MAX_VOICES = 1000


@dataclass(frozen=True, slots=True)
class StoredVoice:
    """What is known of an uploaded voice."""

    name: str
    consent: str
    """What the speaker agreed to, in their words."""
    seconds: float


class VoiceStore:
    """A folder of codes; the recordings themselves are not kept.

    Names are checked before they become part of a path, so no request reaches another file.

    Args:
        folder: Made when the first voice is stored; None: there are no uploaded voices.
        encode: Turns the bytes of a sound file into a voice.
    """

    def __init__(self, folder: Path | None, encode: Callable[[bytes], Awaitable[Voice]]) -> None:
        self._folder = folder
        self._encode = encode
        self._known: dict[str, tuple[StoredVoice, Voice]] = {}

    async def load(self) -> None:
        """Read the folder."""
        if self._folder is not None:
            self._known = await asyncio.to_thread(_read_all, self._folder)

    def names(self) -> list[str]:
        """Return the names, sorted."""
        return sorted(self._known)

    def all(self) -> list[StoredVoice]:
        """Return all voices, by name."""
        return [self._known[name][0] for name in self.names()]

    async def get(self, name: str) -> Voice | None:
        """Return a voice, if it is there."""
        found = self._known.get(name)
        return None if found is None else found[1]

    async def add(self, name: str, recording: bytes, consent: str) -> StoredVoice:
        """Encode and store a recording.

        Raises:
            Problem: The name is taken or no name, nobody agreed, or nothing can be stored here.
            AudioError: The recording cannot be used.
        """
        folder = self._writable()
        if not NAME.fullmatch(name):
            raise Problem(400, "invalid_name", "A name has a-z, 0-9, - and _, at most 64 characters.", "name")
        if name in self._known:
            raise Problem(
                409, "name_taken", f"There is a voice {quoted(name)} already. Delete it first.", "name"
            )
        if not consent.strip():
            raise Problem(
                400, "no_consent", "Say who agreed that this voice is cloned, and to what.", "consent"
            )
        if len(self._known) >= MAX_VOICES:
            raise Problem(409, "too_many_voices", f"{MAX_VOICES} voices are stored. Delete some first.")
        voice = await self._encode(recording)
        stored = StoredVoice(name, consent.strip()[:2000], voice.duration_s)
        await asyncio.to_thread(_write, folder, stored, voice)
        self._known[name] = stored, Voice(voice.codes, voice.key, stored.consent)
        return stored

    async def delete(self, name: str) -> None:
        """Forget a voice.

        Raises:
            Problem: There is no such voice.
        """
        folder = self._writable()
        if self._known.pop(name, None) is None:
            raise Problem(404, "unknown_voice", f"There is no uploaded voice {quoted(name)}.", "name")
        for suffix in (".json", ".npy"):
            await asyncio.to_thread((folder / f"{name}{suffix}").unlink, missing_ok=True)

    def _writable(self) -> Path:
        if self._folder is None:
            raise Problem(403, "no_uploads", "This server stores no voices. Start it with --voices FOLDER.")
        return self._folder


def _write(folder: Path, stored: StoredVoice, voice: Voice) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    np.save(folder / f"{stored.name}.npy", voice.codes.astype(np.int16))
    text = json.dumps({"consent": stored.consent, "seconds": stored.seconds, "key": voice.key})
    (folder / f"{stored.name}.json").write_text(text, encoding="utf-8")  # last: what has it is whole


def _read_all(folder: Path) -> dict[str, tuple[StoredVoice, Voice]]:
    known = {}
    for file in sorted(folder.glob("*.json")):
        about = json.loads(file.read_text(encoding="utf-8"))
        codes = np.load(file.with_suffix(".npy")).astype(np.int64)
        stored = StoredVoice(file.stem, about["consent"], about["seconds"])
        known[file.stem] = stored, Voice(codes, about["key"], stored.consent)
    return known
