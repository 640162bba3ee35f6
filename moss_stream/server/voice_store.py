"""Uploaded voices, by name; other servers may share the place where they are kept."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Collection
from dataclasses import dataclass, replace

from moss_stream import Voice
from moss_stream.quote import MAX_QUOTE, brief, quoted
from moss_stream.server.http.problems import Problem
from moss_stream.server.stored_voice import NAME, StoredVoice
from moss_stream.server.voice_shelf import Shelf

__all__ = ["VoiceStore"]

MAX_VOICES = 1000
"""Of 30 s each they take 24 MB of disk; a client that uploads in a loop must end somewhere."""
LOOK_S = 1.0
"""What other servers stored or deleted is looked for so often, when somebody asks for a voice."""

logger = logging.getLogger("moss_stream.server")


@dataclass(frozen=True, slots=True)
class _Known:
    stamp: str
    stored: StoredVoice
    voice: Voice


class VoiceStore:
    """Codes on a shelf, and in memory; the recordings themselves are not kept.

    A voice that another server stored is found at once, and one that it deleted is forgotten within a
    second of the next request. Names are checked before they become part of a path, so no request reaches
    another file.

    Args:
        shelf: Where voices are kept; None: there are no uploaded voices.
        encode: Turns the bytes of a sound file into a voice.
        reserved: Names that mean something else: the model's own voices, and the names of OpenAI's.
        clock: Seconds, never going back.
    """

    def __init__(
        self,
        shelf: Shelf | None,
        encode: Callable[[bytes], Awaitable[Voice]],
        reserved: Collection[str] = (),
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._shelf = shelf
        self._encode = encode
        self._reserved = frozenset(reserved)
        self._clock = clock
        self._coming: set[str] = set()
        self._known: dict[str, _Known] = {}
        self._unusable: dict[str, str] = {}
        """By name, the stamp of what a warning was written for."""
        self._looked_s = -LOOK_S
        self._look: asyncio.Task[None] | None = None

    async def load(self) -> None:
        """Read what is there."""
        await self._refresh()

    def names(self) -> list[str]:
        """Return the names that are known, sorted."""
        return sorted(self._known)

    async def all(self) -> list[StoredVoice]:
        """Return all voices, by name."""
        await self._refresh()
        return [self._known[name].stored for name in self.names()]

    async def get(self, name: str) -> Voice | None:
        """Return a voice, if it is there.

        Raises:
            Problem: It is not known, and the place where voices are kept cannot be reached.
        """
        found = self._known.get(name)
        if found is None:
            return await self._find(name)
        if self._look is None and self._clock() - self._looked_s >= LOOK_S:
            # Beside the request, which has its voice already.
            self._look = asyncio.create_task(self._refresh())
        return found.voice

    async def aclose(self) -> None:
        """Stop looking."""
        if self._look is not None:
            self._look.cancel()
            await asyncio.gather(self._look, return_exceptions=True)

    async def add(self, name: str, recording: bytes, consent: str) -> StoredVoice:
        """Encode and store a recording; see `keep`."""
        return await self.keep(name, lambda: self._encode(recording), consent)

    async def keep(self, name: str, make: Callable[[], Awaitable[Voice]], consent: str) -> StoredVoice:
        """Make a voice and store it.

        Raises:
            Problem: The name is taken or no name, nobody agreed, or nothing can be stored here.
            AudioError: The recording cannot be used.
        """
        shelf = self._writable()
        self._check(name, consent)
        self._coming.add(name)
        try:
            voice = await make()
            stored = StoredVoice(name, consent.strip()[:2000], voice.duration_s)
            await asyncio.to_thread(shelf.write, stored, voice)
            self._known[name] = _Known("", stored, replace(voice, description=stored.consent))
        except FileExistsError as error:  # another server stores at the same place
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
        shelf = self._writable()
        if await self.get(name) is None:
            raise Problem(404, "unknown_voice", f"There is no uploaded voice {quoted(name)}.", "name")
        self._known.pop(name, None)
        try:
            await asyncio.to_thread(shelf.remove, name)
        except FileNotFoundError:  # another server was faster
            pass
        except Exception as error:
            raise _unreachable(error) from error

    def _writable(self) -> Shelf:
        if self._shelf is None:
            raise Problem(403, "no_uploads", "This server stores no voices. Start it with --voices FOLDER.")
        return self._shelf

    async def _find(self, name: str) -> Voice | None:
        """Look for a voice that another server may have stored a moment ago."""
        if self._shelf is None or name in self._reserved or not NAME.fullmatch(name):
            return None
        try:
            stored, voice = await asyncio.to_thread(self._shelf.read, name)
        except FileNotFoundError:
            return None
        except OSError as error:
            raise _unreachable(error) from error
        except Exception as error:
            _warn(name, error)
            return None
        self._known[name] = _Known("", stored, voice)
        return voice

    async def _refresh(self) -> None:
        """Forget what others deleted, and read what they stored."""
        if self._shelf is None:
            return
        self._looked_s = self._clock()
        before = dict(self._known)
        try:
            stamps = await asyncio.to_thread(self._shelf.stamps)
            for name, stamp in stamps.items():
                known = self._known.get(name)
                if (known is None or known.stamp != stamp) and self._unusable.get(name) != stamp:
                    await self._read(self._shelf, name, stamp)
            for name in before.keys() - stamps.keys():
                if self._known.get(name) is before[name]:  # not stored while we looked
                    del self._known[name]
        except Exception as error:  # a place that is away for a while; what is known stays
            logger.warning("The uploaded voices cannot be looked through (%s).", _why(error))
        finally:
            self._look = None

    async def _read(self, shelf: Shelf, name: str, stamp: str) -> None:
        """Read a voice; what cannot be read is passed over, with a warning."""
        try:
            if name in self._reserved or not NAME.fullmatch(name):
                raise ValueError("its name means another voice or none")
            stored, voice = await asyncio.to_thread(shelf.read, name)
        except FileNotFoundError as error:
            if name in self._known or name in self._coming:  # deleted meanwhile
                return
            self._unusable[name] = stamp
            _warn(name, error)
        except Exception as error:  # whatever somebody wrote there
            self._unusable[name] = stamp
            _warn(name, error)
        else:
            self._known[name] = _Known(stamp, stored, voice)


def _taken(name: str) -> Problem:
    return Problem(409, "name_taken", f"There is a voice {quoted(name)} already. Delete it first.", "name")


def _unreachable(error: Exception) -> Problem:
    return Problem(
        503, "voices_unreachable", f"The uploaded voices cannot be reached ({_why(error)}). Try again later."
    )


def _warn(name: str, error: Exception) -> None:
    logger.warning("The uploaded voice %s.json cannot be read (%s); it is passed over.", name, _why(error))


def _why(error: Exception) -> str:
    return brief(f"{type(error).__name__}: {error}", MAX_QUOTE)
