"""PCM: the chunks a stream yields, whole recordings, rates, channels, files."""

from __future__ import annotations

import base64
import io
import wave
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar, cast

import numpy as np
import numpy.typing as npt

from moss_stream.errors import SinkError

__all__ = ["FRAME_S", "SAMPLE_RATE_HZ", "Audio", "AudioChunk"]

SAMPLE_RATE_HZ = 24_000
"""Of audio that does not say: the embedded voice speaks at it, as the first codec of the family does. What an
engine really makes is in its `EngineInfo`."""
FRAME_S = 0.08
"""A frame of every codec of the family, whatever its rate."""

SILENCE_PEAK = 200
"""Of int16: what stays below it is silence."""
MAX_PLAYER_BYTES = 8 * 2**20
"""Of samples, in the page of a notebook, which keeps them as text: three minutes of 24 kHz. Files of tens of
megabytes are slow to open."""

Samples = npt.NDArray[np.float32]
"""[N] of mono, [N, channels] of more."""
Sample = TypeVar("Sample", np.int16, np.float32)


@dataclass(frozen=True, slots=True)
class AudioChunk:
    """A piece of a stream: int16 PCM, little endian, usually one frame of 80 ms.

    The last chunk of a stream has `is_final` set and no samples: the end is only known after the
    last frame was sent, and holding a frame back for it would cost 80 ms. Behind the last frame of what was
    flushed comes a chunk without samples that has `is_flush` set.
    """

    pcm: bytes
    """Of several channels, their samples take turns: left, right, left, right."""
    sample_rate: int
    """Hz."""
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
    channels: int = 1
    speaker: str = ""
    """Who speaks, in a dialogue."""

    @property
    def samples(self) -> npt.NDArray[np.int16]:
        """The PCM as an array of int16, sharing memory with `pcm`: [N] of mono, [N, channels] of more."""
        return as_samples(self.pcm, self.channels)

    def check_rate(self, wanted: int | None, channels: int | None = 1) -> None:
        """Refuse a chunk that would be played at the wrong speed, or with its channels mixed up.

        Args:
            wanted: Hz; None for any rate.
            channels: How many; None for any number.

        Raises:
            SinkError: It has another rate, or other channels.
        """
        if self.pcm and wanted is not None and self.sample_rate != wanted:
            raise SinkError(
                f"The sink takes {wanted} Hz, and this chunk has {self.sample_rate} Hz. "
                "Use play(stream, sink), which resamples, or write chunks of the sink's rate."
            )
        if self.pcm and channels is not None and self.channels != channels:
            raise SinkError(
                f"The sink takes {_named(channels)}, and this chunk is {_named(self.channels)}. "
                "Use play(stream, sink), which mixes, or write chunks with the sink's channels."
            )


@dataclass(frozen=True, slots=True)
class Audio:
    """A whole recording: int16 samples, [N] of mono, [N, channels] of more."""

    samples: npt.NDArray[np.int16]
    sample_rate: int = SAMPLE_RATE_HZ
    """Hz."""

    @property
    def channels(self) -> int:
        """1 is mono, 2 is stereo: left and right."""
        return num_channels(self.samples)

    @property
    def duration_s(self) -> float:
        """Length in seconds."""
        return len(self.samples) / self.sample_rate

    @property
    def pcm(self) -> bytes:
        """The samples as little-endian bytes; those of several channels take turns."""
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

    def _repr_html_(self) -> str:
        """Return a player with the recording in it, as notebooks show it; of a long one, what to do."""
        if len(self.pcm) > MAX_PLAYER_BYTES:
            shown_s = MAX_PLAYER_BYTES / (2 * self.channels * self.sample_rate)
            return (
                f"<p>{self.duration_s:.0f} s of audio, and a page holds {shown_s:.0f} s: write it to a file "
                "with <code>save(path)</code>, or show a part of it.</p>"
            )
        data = base64.b64encode(self._wav()).decode()
        return f'<audio controls src="data:audio/wav;base64,{data}"></audio>'

    def _wav(self) -> bytes:
        buffer = io.BytesIO()
        with wave.open(buffer, "wb") as file:
            file.setparams((self.channels, 2, self.sample_rate, 0, "NONE", ""))
            file.writeframes(self.pcm)
        return buffer.getvalue()


def as_samples(pcm: bytes, channels: int) -> npt.NDArray[np.int16]:
    """Return PCM as an array that shares its memory: [N] of mono, [N, channels] of more."""
    flat = np.frombuffer(pcm, dtype="<i2")
    return flat if channels == 1 else flat.reshape(-1, channels)


def num_channels(samples: npt.NDArray[Sample]) -> int:
    """Return how many channels samples [N] or [N, channels] have."""
    return 1 if samples.ndim == 1 else samples.shape[1]


def mixed(samples: npt.NDArray[Sample], channels: int) -> npt.NDArray[Sample]:
    """Return samples [N] or [N, C] with another number of channels: mono is their mean, and goes to each."""
    if num_channels(samples) == channels:
        return samples[:, 0] if channels == 1 and samples.ndim == 2 else samples
    mono = samples if samples.ndim == 1 else _mean(samples)
    return mono if channels == 1 else np.repeat(mono[:, None], channels, axis=1)


def _mean(samples: npt.NDArray[Sample]) -> npt.NDArray[Sample]:
    mean = samples.mean(axis=1, dtype=np.float32)
    whole = np.rint(mean) if samples.dtype.kind == "i" else mean
    return cast(npt.NDArray[Sample], whole.astype(samples.dtype))


def _named(channels: int) -> str:
    return {1: "mono", 2: "stereo"}.get(channels, f"sound of {channels} channels")


def is_audible(pcm: bytes) -> bool:
    """Tell whether int16 samples, of any channels, are more than silence."""
    samples = np.frombuffer(pcm, dtype="<i2")
    return len(samples) > 0 and int(np.abs(samples.astype(np.int32)).max()) >= SILENCE_PEAK


def resample(samples: Samples, rate: int, new_rate: int) -> Samples:
    """Resample a whole recording [N] or [N, channels] (soxr, high quality)."""
    if rate == new_rate or len(samples) == 0:
        return np.ascontiguousarray(samples, dtype=np.float32)
    import soxr

    return np.asarray(soxr.resample(samples, rate, new_rate, quality="HQ"), dtype=np.float32)
