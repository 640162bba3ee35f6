"""Uploaded voices, by name, on disk."""

from __future__ import annotations

import asyncio
import json
import logging
import math
import re
from collections.abc import Awaitable, Callable, Collection
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from moss_stream import Voice
from moss_stream.files import clean_up, new_file
from moss_stream.quote import MAX_QUOTE, brief, quoted
from moss_stream.server.http.problems import Problem

__all__ = ["StoredVoice", "VoiceStore"]

NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}")
MAX_VOICES = 1000
"""Of 30 s each they take 24 MB of disk; a client that uploads in a loop must end somewhere."""

logger = logging.getLogger("moss_stream.server")


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
        reserved: Names that mean something else: the model's own voices, and the names of OpenAI's.
    """

    def __init__(
        self,
        folder: Path | None,
        encode: Callable[[bytes], Awaitable[Voice]],
        reserved: Collection[str] = (),
    ) -> None:
        self._folder = folder
        self._encode = encode
        self._reserved = frozenset(reserved)
        self._coming: set[str] = set()
        self._known: dict[str, tuple[StoredVoice, Voice]] = {}

    async def load(self) -> None:
        """Read the folder."""
        if self._folder is not None:
            self._known = await asyncio.to_thread(_read_all, self._folder, self._reserved)

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
        """Encode and store a recording; see `keep`."""
        return await self.keep(name, lambda: self._encode(recording), consent)

    async def keep(self, name: str, make: Callable[[], Awaitable[Voice]], consent: str) -> StoredVoice:
        """Make a voice and store it.

        Raises:
            Problem: The name is taken or no name, nobody agreed, or nothing can be stored here.
            AudioError: The recording cannot be used.
        """
        folder = self._writable()
        self._check(name, consent)
        self._coming.add(name)
        try:
            voice = await make()
            stored = StoredVoice(name, consent.strip()[:2000], voice.duration_s)
            await asyncio.to_thread(_write, folder, stored, voice)
            self._known[name] = stored, replace(voice, description=stored.consent)
        except FileExistsError as error:  # another server stores into the same folder
            raise _taken(name) from error
        except OSError as error:
            why = error.strerror or error
            raise Problem(
                507, "not_stored", f"The voice cannot be stored ({why}). Try again later."
            ) from error
        finally:
            self._coming.discard(name)
        return stored

    def _check(self, name: str, consent: str) -> None:
        if not NAME.fullmatch(name):
            raise Problem(400, "invalid_name", "A name has a-z, 0-9, - and _, at most 64 characters.", "name")
        if name in self._reserved:
            raise Problem(409, "name_taken", f"{quoted(name)} is a voice of the server's own.", "name")
        if name in self._known or name in self._coming:
            raise _taken(name)
        if not consent.strip():
            raise Problem(
                400, "no_consent", "Say who agreed that this voice is cloned, and to what.", "consent"
            )
        if len(self._known) + len(self._coming) >= MAX_VOICES:
            raise Problem(409, "too_many_voices", f"{MAX_VOICES} voices are stored. Delete some first.")

    async def delete(self, name: str) -> None:
        """Forget a voice.

        Raises:
            Problem: There is no such voice.
        """
        folder = self._writable()
        if self._known.pop(name, None) is None:
            raise Problem(404, "unknown_voice", f"There is no uploaded voice {quoted(name)}.", "name")
        await asyncio.to_thread(_remove, folder, name)

    def _writable(self) -> Path:
        if self._folder is None:
            raise Problem(403, "no_uploads", "This server stores no voices. Start it with --voices FOLDER.")
        return self._folder


def _remove(folder: Path, name: str) -> None:
    (folder / f"{name}.json").unlink(missing_ok=True)
    for codes in (folder / f"{name}.npy", *folder.glob(f"{name}.*.npy")):
        codes.unlink(missing_ok=True)


def _taken(name: str) -> Problem:
    return Problem(409, "name_taken", f"There is a voice {quoted(name)} already. Delete it first.", "name")


def _write(folder: Path, stored: StoredVoice, voice: Voice) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    # Named by what is in it: another server that stores a voice of this name does not change ours.
    codes = f"{stored.name}.{voice.key[:16]}.npy"
    with new_file(folder / codes) as file:
        np.save(file, voice.codes.astype(np.int16))
    about = {"consent": stored.consent, "seconds": stored.seconds, "key": voice.key, "codes": codes}
    about["sample_rate"] = voice.sample_rate
    text = json.dumps(about)
    with new_file(folder / f"{stored.name}.json", replaces=False) as file:  # last: what has it is whole
        file.write(text.encode())


def _read_all(folder: Path, reserved: Collection[str]) -> dict[str, tuple[StoredVoice, Voice]]:
    """Read what can be read; of the rest a warning names the file."""
    clean_up(folder)
    known = {}
    for file in sorted(folder.glob("*.json")):
        try:
            stored, voice = _read(file)
        except Exception as error:  # whatever somebody wrote there
            why = brief(f"{type(error).__name__}: {error}", MAX_QUOTE)
            logger.warning("The uploaded voice %s cannot be read (%s); it is passed over.", file, why)
            continue
        if stored.name in reserved or not NAME.fullmatch(stored.name):
            logger.warning("The uploaded voice %s has a name that means another voice or none.", file)
            continue
        known[stored.name] = stored, voice
    return known


def _read(file: Path) -> tuple[StoredVoice, Voice]:
    about = json.loads(file.read_text(encoding="utf-8"))
    name = Path(about.get("codes", f"{file.stem}.npy")).name  # in this folder, whatever it says
    # Mapped: a header that claims more than the file holds is an error, and allocates nothing.
    codes = np.lib.format.open_memmap(file.with_name(name), mode="r")
    if codes.ndim != 2 or not len(codes) or codes.dtype.kind not in "iu":
        raise ValueError("it holds no codes")
    consent, key, seconds = str(about["consent"]), str(about["key"]), float(about["seconds"])
    (consent + key).encode()  # what is no text cannot be sent
    if not 0 <= seconds < math.inf:
        raise ValueError("its length is not a number of seconds")
    rate = about.get("sample_rate")
    if not isinstance(rate, int | None):
        raise ValueError("its sample rate is not a number")
    voice = Voice(codes.astype(np.int64), key, consent, sample_rate=rate)
    return StoredVoice(file.stem, consent, seconds), voice
