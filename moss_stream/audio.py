"""PCM: the chunks a stream yields, whole recordings, rates, files."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from moss_stream.errors import SinkError

__all__ = ["FRAME_S", "FRAME_SAMPLES", "SAMPLE_RATE_HZ", "Audio", "AudioChunk"]

SAMPLE_RATE_HZ = 24_000
"""Of the codec that both models speak through."""
FRAME_SAMPLES = 1_920
"""Samples of one frame: the codec makes 12.5 frames a second."""
FRAME_S = FRAME_SAMPLES / SAMPLE_RATE_HZ

SILENCE_PEAK = 200
"""Of int16: what stays below it is silence."""

Samples = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class AudioChunk:
    """A piece of a stream: mono int16 PCM, little endian, usually one frame of 80 ms.

    The last chunk of a stream has `is_final` set and no samples: the end is only known after the
    last frame was sent, and holding a frame back for it would cost 80 ms. Behind the last frame of what was
    flushed comes a chunk without samples that has `is_flush` set.
    """

    pcm: bytes
    sample_rate: int
    index: int
    """Counts the chunks of a stream from 0."""
    start_s: float
    """Where the chunk begins, in seconds from the start of the stream."""
    duration_s: float
    is_final: bool = False
    char_start: int = 0
    """Where the written text that the chunk speaks begins; an estimate within a segment of text."""
    char_end: int = 0
    """Where it ends. The parts of all chunks, the final one included, joined are the text."""
    is_flush: bool = False
    """Everything given before a `flush` is spoken."""
    begins_word: bool = False
    """It begins between two words, or a segment begins with it; an estimate within a segment."""
    rtf: float = 0.0
    """Seconds that the machine needs for a second of audio, of all streams together; 0 if not known."""
    left_s: float = 0.0
    """Audio that follows it, estimated from the text that is there."""

    @property
    def samples(self) -> npt.NDArray[np.int16]:
        """The PCM as an array of int16, sharing memory with `pcm`."""
        return np.frombuffer(self.pcm, dtype="<i2")

    def check_rate(self, wanted: int) -> None:
        """Refuse a chunk that would be played at the wrong speed.

        Raises:
            SinkError: Its rate is not `wanted`, in Hz.
        """
        if self.pcm and self.sample_rate != wanted:
            raise SinkError(
                f"The sink takes {wanted} Hz, and this chunk has {self.sample_rate} Hz. "
                "Use play(stream, sink), which resamples, or write chunks of the sink's rate."
            )


@dataclass(frozen=True, slots=True)
class Audio:
    """A whole recording: mono int16 samples."""

    samples: npt.NDArray[np.int16]
    sample_rate: int = SAMPLE_RATE_HZ

    @property
    def duration_s(self) -> float:
        """Length in seconds."""
        return len(self.samples) / self.sample_rate

    @property
    def pcm(self) -> bytes:
        """The samples as little-endian bytes."""
        return self.samples.astype("<i2", copy=False).tobytes()

    def save(self, path: str | Path) -> None:
        """Write the recording to `path`; the suffix picks the format (wav, flac, ogg, mp3).

        Raises:
            SinkError: The file cannot be written, or its suffix names no format.
        """
        import soundfile

        try:
            soundfile.write(str(path), self.samples, self.sample_rate)
        except (soundfile.LibsndfileError, TypeError) as error:
            raise SinkError(
                f"{str(path)!r} cannot be written ({error}). "
                "Choose another path, ending in .wav, .flac, .ogg or .mp3."
            ) from error


def is_audible(pcm: bytes) -> bool:
    """Tell whether mono int16 samples are more than silence."""
    samples = np.frombuffer(pcm, dtype="<i2")
    return len(samples) > 0 and int(np.abs(samples.astype(np.int32)).max()) >= SILENCE_PEAK


def resample(samples: Samples, rate: int, new_rate: int) -> Samples:
    """Resample a whole recording (soxr, high quality)."""
    if rate == new_rate or len(samples) == 0:
        return np.ascontiguousarray(samples, dtype=np.float32)
    import soxr

    return np.asarray(soxr.resample(samples, rate, new_rate, quality="HQ"), dtype=np.float32)
