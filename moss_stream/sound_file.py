"""Recordings in files: judged by their header, then decoded in blocks, never more than is allowed."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from moss_stream.audio import Samples, mixed
from moss_stream.errors import AudioError
from moss_stream.quote import quoted

if TYPE_CHECKING:
    import soundfile

__all__ = ["check_format", "read_recording"]

MIN_RATE_HZ, MAX_RATE_HZ = 4_000, 384_000
"""Below, speech has lost its consonants; above is no sound card."""
MAX_CHANNELS = 16
"""What a studio's mixer records."""
BLOCK = 1 << 16
"""Samples of all channels that are decoded at a time: a quarter of a megabyte."""
UNKNOWN = 1 << 62
"""libsndfile says at least so much where a header does not say how long it is."""


def check_format(rate: int, channels: int, samples: int, max_s: float) -> None:
    """Refuse what is no recording of a person, before anything is made of it.

    Args:
        rate: In Hz.
        channels: How many.
        samples: Of each channel.
        max_s: The longest that is taken.

    Raises:
        AudioError: The rate, the channels or the length are out of range.
    """
    if not MIN_RATE_HZ <= rate <= MAX_RATE_HZ:
        raise AudioError(
            f"The recording has a sample rate of {rate:,} Hz. Give {MIN_RATE_HZ:,} to {MAX_RATE_HZ:,} Hz."
        )
    if not 1 <= channels <= MAX_CHANNELS:
        raise AudioError(f"The recording has {channels} channels. Give 1 to {MAX_CHANNELS}; one is best.")
    if samples > max_s * rate:
        raise AudioError(
            f"The recording is {samples / rate:,.0f} s long. Cut it to at most {max_s:.0f} s; "
            "5 to 20 s of clean speech are best."
        )


def read_recording(source: str | Path | bytes, rate: int, channels: int, max_s: float) -> Samples:
    """Read a sound file or its bytes as float32: [N] of mono, [N, channels] of more.

    Args:
        source: Its path, or what is in it.
        rate: To resample to, in Hz.
        channels: Wanted; where the file has others, their mean goes to each.
        max_s: The longest that is taken; a longer one costs no more than its header, or so many seconds.

    Raises:
        AudioError: There is no such file, it is not audio in a format libsndfile knows, or it is out of
            range; see `check_format`.
    """
    import soundfile

    if not isinstance(source, bytes) and not Path(source).is_file():
        raise AudioError(
            f"There is no file {quoted(str(source))}. Give the path of a recording (wav, flac, ogg or mp3)."
        )
    name = "the given bytes" if isinstance(source, bytes) else repr(str(source))
    try:
        with soundfile.SoundFile(io.BytesIO(source) if isinstance(source, bytes) else str(source)) as file:
            known = 0 if file.frames >= UNKNOWN else file.frames
            check_format(file.samplerate, file.channels, known, max_s)
            return _resampled(_blocks(file, channels, max_s), file.samplerate, rate, channels)
    except (soundfile.LibsndfileError, TypeError) as error:
        why = getattr(error, "error_string", error)  # the whole message names the buffer by its address
        raise AudioError(
            f"{name} is not audio that can be read ({why}). Use wav, flac, ogg or mp3."
        ) from error


def _resampled(blocks: Iterator[Samples], rate: int, new_rate: int, channels: int) -> Samples:
    import soxr

    none = mixed(np.zeros(0, np.float32), channels)
    if rate == new_rate:
        return np.concatenate([none, *blocks])
    stream = soxr.ResampleStream(rate, new_rate, channels, dtype="float32", quality="HQ")
    parts = [stream.resample_chunk(block) for block in blocks]
    return np.concatenate([*parts, stream.resample_chunk(none, last=True)])


def _blocks(file: soundfile.SoundFile, channels: int, max_s: float) -> Iterator[Samples]:
    """Yield a file's samples with so many channels; a header may have said less than there is."""
    done, size = 0, max(1, BLOCK // file.channels)
    while len(block := _read(file, size)):
        done += len(block)
        check_format(file.samplerate, file.channels, done, max_s)
        yield np.ascontiguousarray(mixed(block, channels))


def _read(file: soundfile.SoundFile, size: int) -> Any:
    return file.read(size, dtype="float32", always_2d=True)
