"""flite as a library: speech, and when each word of the text is spoken.

The timing teaches the speech model where in the text it is; flite's program cannot print it.
"""

from __future__ import annotations

import ctypes
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import soxr

from moss_stream.audio import SAMPLE_RATE_HZ

__all__ = ["Flite", "Span", "Spoken"]

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
class Spoken:
    """An utterance at 24 kHz and the spans of its words."""

    samples: npt.NDArray[np.int16]
    spans: list[Span]

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
        begin, end = int(begin_s * SAMPLE_RATE_HZ), int(end_s * SAMPLE_RATE_HZ)
        return Spoken(self.samples[begin:end], spans)


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
            return Spoken(self._samples(utterance), self._spans(utterance, text))
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
        relation = self._call("utt_relation", _Pointer, _Pointer(utterance), b"Token")
        item = self._call("relation_head", _Pointer, _Pointer(relation))
        spans, position = [], 0
        while item:
            name = self._call("ffeature_string", ctypes.c_char_p, _Pointer(item), b"name").decode()
            start_s, end_s = (
                self._call("ffeature_float", ctypes.c_float, _Pointer(item), path)
                for path in (_FIRST_SEGMENT, _LAST_SEGMENT)
            )
            found = text.find(name, position)
            if found >= 0 and end_s > start_s:
                position = found + len(name)
                spans.append(Span(found, position, start_s, end_s))
            item = self._call("item_next", _Pointer, _Pointer(item))
        return spans

    def _open(self, name: str) -> ctypes.CDLL:
        return ctypes.CDLL(str(self._folder / name), mode=ctypes.RTLD_GLOBAL)

    def _call(self, name: str, result: Any, *arguments: Any) -> Any:
        function = getattr(self._library, name)
        function.restype = result
        return function(*arguments)
