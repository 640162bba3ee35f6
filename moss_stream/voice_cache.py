"""Recordings that were encoded: each once, however many streams ask for it."""

from __future__ import annotations

import asyncio
import logging
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt

from moss_stream.audio import SAMPLE_RATE_HZ
from moss_stream.files import new_file
from moss_stream.text.message import Codes
from moss_stream.voices import Reference, Voice, content_key, load_reference

__all__ = ["VoiceCache"]

logger = logging.getLogger("moss_stream")


class VoiceCache:
    """Encodes recordings on a thread, beside the streams: one at a time, each alone.

    So what comes out does not depend on who else asks, or asked first. Equal recordings are encoded once,
    also when they are asked for at the same time.

    Args:
        encode: Turns samples into codes.
        size: How many voices are kept; the one that was not used for longest goes.
        folder: Where voices are kept on disk too; None for nowhere.
        sample_rate: Of the samples that are encoded, in Hz.
        channels: Of them.
        num_codebooks: That the model has: what is kept on disk of another model is encoded again.
    """

    def __init__(
        self,
        encode: Callable[[npt.NDArray[np.float32]], Codes],
        size: int,
        folder: Path | None = None,
        sample_rate: int = SAMPLE_RATE_HZ,
        channels: int = 1,
        num_codebooks: int | None = None,
    ) -> None:
        self._encode = encode
        self._size = size
        self._folder = folder
        self._format = sample_rate, channels
        self._num_codebooks = num_codebooks
        self._voices: OrderedDict[str, Voice] = OrderedDict()
        self._busy = asyncio.Lock()

    async def get(self, reference: Reference) -> Voice:
        """Return the voice of a recording.

        Raises:
            AudioError: The recording cannot be used.
        """
        samples = await asyncio.to_thread(load_reference, reference, *self._format)
        key = content_key(samples)
        async with self._busy:
            voice = self._voices.get(key)
            if voice is None:
                voice = await asyncio.to_thread(self._make, key, samples)
            self._voices[key] = voice
            self._voices.move_to_end(key)
            while len(self._voices) > self._size:
                self._voices.popitem(last=False)
        return voice

    def _make(self, key: str, samples: npt.NDArray[np.float32]) -> Voice:
        codes = self._read(key)
        if codes is None:
            codes = self._encode(samples)
            self._write(key, codes)
        return Voice(codes, key, sample_rate=self._format[0])

    def _read(self, key: str) -> Codes | None:
        if self._folder is None:
            return None
        try:
            codes = np.load(self._folder / f"{key}.npy", allow_pickle=False)
            if codes.ndim != 2 or not len(codes) or codes.dtype.kind not in "iu":
                raise ValueError("it holds no codes")
            if self._num_codebooks not in (None, codes.shape[1]):
                raise ValueError(f"it has {codes.shape[1]} codebooks, as another model has")
            return np.asarray(codes, dtype=np.int64)
        except FileNotFoundError:
            return None
        except (OSError, ValueError, EOFError) as error:
            logger.warning("A kept voice cannot be read (%s); it is encoded again.", error)
            return None

    def _write(self, key: str, codes: Codes) -> None:
        """Keep a voice, by a rename: a file that is there is whole."""
        if self._folder is None:
            return
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            with new_file(self._folder / f"{key}.npy") as file:
                np.save(file, codes.astype(np.int16))
        except OSError as error:
            logger.warning("A voice cannot be kept in %s (%s).", self._folder, error)
