"""Parts of a book that are spoken already: each a FLAC file, and the times of its words beside it."""

from __future__ import annotations

import contextlib
import json
import shutil
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from moss_stream.audio import AudioChunk
from moss_stream.errors import SinkError
from moss_stream.files import clean_up, new_file
from moss_stream.text.timeline import Word

__all__ = ["PartStore"]

BLOCK_S = 10
"""Of audio that is read at a time: a megabyte or two."""


class PartStore:
    """A folder of parts, by name; a part is there whole or not at all, whenever the program is ended.

    Args:
        folder: Made by the first part.
        rate: Of their audio, in Hz.
        channels: Of their audio.
    """

    def __init__(self, folder: Path, rate: int, channels: int) -> None:
        self.folder = folder
        self._rate, self._channels = rate, channels

    def open(self) -> None:
        """Make the folder; remove what an interrupted program left half written. Raises SinkError."""
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise SinkError(
                f"{self.folder} cannot be made ({error.strerror}). Choose another path."
            ) from error
        clean_up(self.folder)

    def has(self, name: str) -> bool:
        """Tell whether a part is there, and nothing has happened to it."""
        import soundfile

        if not (self._sound(name).is_file() and self._notes(name).is_file()):
            return False
        try:
            return bool(soundfile.info(self._sound(name)).frames == self._read(name)["samples"])
        except (soundfile.LibsndfileError, OSError, ValueError, KeyError, TypeError):
            return False

    def put(self, name: str, samples: npt.NDArray[np.int16], words: list[Word]) -> None:
        """Keep a part: samples [N] or [N, channels]. Raises SinkError."""
        import soundfile

        notes = {"samples": len(samples), "words": [asdict(word) for word in words]}
        try:
            with new_file(self._notes(name)) as file:
                file.write(json.dumps(notes, ensure_ascii=False).encode("utf-8", "replace"))
            with new_file(self._sound(name)) as file:
                soundfile.write(file, samples, self._rate, format="FLAC", subtype="PCM_16")
        except (OSError, soundfile.LibsndfileError) as error:
            raise SinkError(
                f"{self.folder}: a part cannot be written ({error}). Make room for it."
            ) from error

    def notes(self, name: str) -> tuple[list[Word], float]:
        """Return the words of a part, places and times counted from its beginning, and its seconds."""
        notes = self._read(name)
        return [Word(**word) for word in notes["words"]], notes["samples"] / self._rate

    def audio(self, name: str) -> npt.NDArray[np.int16]:
        """Return all samples of a part, [N] or [N, channels]."""
        import soundfile

        return np.asarray(soundfile.read(self._sound(name), dtype="int16")[0], dtype=np.int16)

    def chunks(self, name: str) -> Iterator[AudioChunk]:
        """Yield the audio of a part."""
        import soundfile

        size = BLOCK_S * self._rate
        for index, block in enumerate(soundfile.blocks(self._sound(name), size, dtype="int16")):
            yield AudioChunk(
                block.tobytes(),
                self._rate,
                index,
                index * float(BLOCK_S),
                len(block) / self._rate,
                channels=self._channels,
            )

    def remove(self) -> None:
        """Remove all parts."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def remove_if_empty(self) -> None:
        """Remove the folder, unless there are parts in it."""
        with contextlib.suppress(OSError):
            self.folder.rmdir()

    def _sound(self, name: str) -> Path:
        return self.folder / f"{name}.flac"

    def _notes(self, name: str) -> Path:
        return self.folder / f"{name}.json"

    def _read(self, name: str) -> Any:
        return json.loads(self._notes(name).read_text(encoding="utf-8"))
