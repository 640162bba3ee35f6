"""flite as a library: speech, and when each word and each phone of the text is spoken.

The timing teaches the speech model where in the text it is and what it is saying; flite's program cannot
print it.
"""

from __future__ import annotations

import ctypes
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import soxr

from moss_stream.audio import SAMPLE_RATE_HZ

__all__ = ["PHONES", "Flite", "Phone", "Span", "Spoken"]

PHONES = (
    "pau aa ae ah ao aw ax ay b ch d dh eh er ey f g hh ih iy jh k l m n ng ow oy p r s sh t th uh uw v w y"
    " z zh"
).split()
"""The names of flite's phones; the first one is silence."""

_FIRST_SEGMENT = b"R:Token.daughter1.R:SylStructure.daughter1.daughter1.R:Segment.p.end"
_LAST_SEGMENT = b"R:Token.daughtern.R:SylStructure.daughtern.daughtern.R:Segment.end"
_Pointer = ctypes.c_void_p
SILENCE_BEFORE_S, SILENCE_AFTER_S = 0.08, 0.2


@dataclass(frozen=True)
class Span:
    """A piece of the text, and when it is spoken."""

    char_start: int
    char_end: int
    start_s: float
    end_s: float


@dataclass(frozen=True)
class Phone:
    """A phone, by its index in `PHONES`, and when it ends."""

    index: int
    end_s: float


@dataclass(frozen=True)
class Spoken:
    """An utterance at 24 kHz, the spans of its words, and its phones, each from the end of the one before."""

    samples: npt.NDArray[np.int16]
    spans: list[Span]
    phones: list[Phone]

    def trimmed(self) -> Spoken:
        """Return the utterance with short silences at both ends, so that there is less to wait for."""
        if not self.spans:
            return self
        begin_s = max(0.0, self.spans[0].start_s - SILENCE_BEFORE_S)
        end_s = self.spans[-1].end_s + SILENCE_AFTER_S
        spans = [
            Span(span.char_start, span.char_end, span.start_s - begin_s, span.end_s - begin_s)
            for span in self.spans
        ]
        phones = [Phone(phone.index, phone.end_s - begin_s) for phone in self.phones if phone.end_s > begin_s]
        begin, end = int(begin_s * SAMPLE_RATE_HZ), int(end_s * SAMPLE_RATE_HZ)
        return Spoken(self.samples[begin:end], spans, phones)


class _Wave(ctypes.Structure):
    """flite's `cst_wave`."""

    _fields_ = (
        ("type", ctypes.c_char_p),
        ("sample_rate", ctypes.c_int),
        ("num_samples", ctypes.c_int),
        ("num_channels", ctypes.c_int),
        ("samples", ctypes.POINTER(ctypes.c_short)),
    )


class Flite:
    """flite's voices, from an unpacked package. Not for use from several threads.

    Args:
        root: Folder that holds usr/lib of the package.
    """

    def __init__(self, root: Path) -> None:
        self._folder = next((root / "usr/lib").glob("*-linux-gnu*"))
        self._library = self._open("libflite.so.1")
        self._open("libflite_cmulex.so.1")
        self._open("libflite_usenglish.so.1")
        self._library.flite_init()
        self._voices: dict[str, int] = {}

    def speak(self, voice: str, text: str) -> Spoken:
        """Return `text` spoken by `voice` ("slt", "rms", "awb")."""
        utterance = self._call("flite_synth_text", _Pointer, text.encode("ascii"), self._voice(voice))
        try:
            return Spoken(self._samples(utterance), self._spans(utterance, text), self._phones(utterance))
        finally:
            self._call("delete_utterance", None, _Pointer(utterance))

    def _voice(self, name: str) -> ctypes.c_void_p:
        if name not in self._voices:
            register = getattr(self._open(f"libflite_cmu_us_{name}.so.1"), f"register_cmu_us_{name}")
            register.restype = _Pointer
            self._voices[name] = register(None)
        return _Pointer(self._voices[name])

    def _samples(self, utterance: int) -> npt.NDArray[np.int16]:
        # The features of an utterance are its first member.
        features = _Pointer.from_address(utterance)
        value = self._call("feat_val", _Pointer, features, b"wave")
        address = self._call("val_wave", _Pointer, _Pointer(value))
        wave = _Wave.from_address(address)
        narrow = np.ctypeslib.as_array(wave.samples, (wave.num_samples,)).copy()
        return np.asarray(soxr.resample(narrow, wave.sample_rate, SAMPLE_RATE_HZ))

    def _spans(self, utterance: int, text: str) -> list[Span]:
        spans, position = [], 0
        for item in self._items(utterance, b"Token"):
            name = self._name(item)
            start_s, end_s = self._time(item, _FIRST_SEGMENT), self._time(item, _LAST_SEGMENT)
            found = text.find(name, position)
            if found >= 0 and end_s > start_s:
                position = found + len(name)
                spans.append(Span(found, position, start_s, end_s))
        return spans

    def _phones(self, utterance: int) -> list[Phone]:
        items = self._items(utterance, b"Segment")
        return [Phone(PHONES.index(self._name(item)), self._time(item, b"end")) for item in items]

    def _items(self, utterance: int, relation: bytes) -> Iterator[_Pointer]:
        found = self._call("utt_relation", _Pointer, _Pointer(utterance), relation)
        item = self._call("relation_head", _Pointer, _Pointer(found))
        while item:
            yield _Pointer(item)
            item = self._call("item_next", _Pointer, _Pointer(item))

    def _name(self, item: _Pointer) -> str:
        name: bytes = self._call("ffeature_string", ctypes.c_char_p, item, b"name")
        return name.decode()

    def _time(self, item: _Pointer, path: bytes) -> float:
        seconds: float = self._call("ffeature_float", ctypes.c_float, item, path)
        return seconds

    def _open(self, name: str) -> ctypes.CDLL:
        return ctypes.CDLL(str(self._folder / name), mode=ctypes.RTLD_GLOBAL)

    def _call(self, name: str, result: Any, *arguments: Any) -> Any:
        function = getattr(self._library, name)
        function.restype = result
        return function(*arguments)
