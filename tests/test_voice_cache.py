from __future__ import annotations

import asyncio
import logging
import math
import threading
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from moss_stream import Audio, AudioError
from moss_stream.text.message import Codes
from moss_stream.voice_cache import VoiceCache


def tone(hz: float) -> Audio:
    t = np.arange(24_000) / 24_000
    return Audio((np.sin(2 * math.pi * hz * t) * 8000).astype(np.int16))


class Encoder:
    """Counts what it encodes, and notices when it is asked for two things at once."""

    def __init__(self) -> None:
        self.calls = 0
        self._busy = threading.Lock()

    def __call__(self, samples: npt.NDArray[np.float32]) -> Codes:
        assert self._busy.acquire(blocking=False), "two recordings at once"
        self.calls += 1
        codes = np.full((12, 4), int(np.abs(samples[100]) * 1000), dtype=np.int64)
        self._busy.release()
        return codes


async def test_equal_recordings_are_encoded_once() -> None:
    """Also when they are asked for at the same time; others are encoded one after the other."""
    encode = Encoder()
    cache = VoiceCache(encode, size=8)
    voices = await asyncio.gather(*(cache.get(tone(hz)) for hz in (220, 220, 330, 220, 330)))
    assert encode.calls == 2
    assert voices[0].key == voices[1].key == voices[3].key != voices[2].key
    assert voices[0].codes is voices[3].codes and await cache.get(tone(220)) is voices[0]


async def test_the_voice_that_was_not_used_for_longest_goes() -> None:
    """No more voices are kept than were asked for."""
    encode = Encoder()
    cache = VoiceCache(encode, size=2)
    for hz in (220, 330, 220, 440, 220):
        await cache.get(tone(hz))
    assert encode.calls == 3
    await cache.get(tone(330))
    assert encode.calls == 4


async def test_voices_are_kept_on_disk(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Another process finds them; a damaged file is made again."""
    folder, encode = tmp_path / "voices", Encoder()
    first = await VoiceCache(encode, 8, folder).get(tone(220))
    again = await VoiceCache(encode, 8, folder).get(tone(220))
    assert encode.calls == 1
    np.testing.assert_array_equal(first.codes, again.codes)
    (file,) = folder.iterdir()
    await asyncio.to_thread(file.write_bytes, b"damaged")
    with caplog.at_level(logging.WARNING):
        assert (await VoiceCache(encode, 8, folder).get(tone(220))).key == first.key
    assert encode.calls == 2 and "encoded again" in caplog.text


async def test_a_folder_that_cannot_be_written_is_no_error(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """The voice is there all the same."""
    (tmp_path / "file").write_text("")
    with caplog.at_level(logging.WARNING):
        voice = await VoiceCache(Encoder(), 8, tmp_path / "file" / "voices").get(tone(220))
    assert voice.codes.shape == (12, 4) and "cannot be kept" in caplog.text


async def test_a_recording_that_cannot_be_used_is_an_error_for_who_asked() -> None:
    """The next recording is encoded as if nothing had been."""
    cache = VoiceCache(Encoder(), size=8)
    with pytest.raises(AudioError, match="silent"):
        await cache.get(Audio(np.zeros(24_000, dtype=np.int16)))
    assert (await cache.get(tone(220))).codes.shape == (12, 4)


async def test_what_another_model_left_on_disk_is_encoded_again(tmp_path: Path) -> None:
    """It has other codebooks; the model gets its own."""
    first = await VoiceCache(Encoder(), 8, tmp_path).get(tone(220))
    again = Encoder()
    count = first.codes.shape[1]
    await VoiceCache(again, 8, tmp_path, num_codebooks=count).get(tone(220))
    assert again.calls == 0
    await VoiceCache(again, 8, tmp_path, num_codebooks=count + 1).get(tone(220))
    assert again.calls == 1
