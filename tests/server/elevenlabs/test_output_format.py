from __future__ import annotations

import pytest

from moss_stream.formats.output import AudioFormat
from moss_stream.server.elevenlabs.output_format import audio_format
from moss_stream.server.http.problems import Problem


@pytest.mark.parametrize(
    ("name", "wanted"),
    [
        *((f"pcm_{rate}", AudioFormat(rate=rate)) for rate in (8000, 16_000, 22_050, 24_000, 32_000, 44_100)),
        ("pcm_48000", AudioFormat(rate=48_000)),
        ("wav_16000", AudioFormat("wav", rate=16_000)),
        ("ulaw_8000", AudioFormat("raw", "pcm_mulaw", 8000)),
        ("alaw_8000", AudioFormat("raw", "pcm_alaw", 8000)),
        ("mp3_44100_128", AudioFormat("mp3", rate=44_100, bit_rate=128_000)),
        ("mp3_22050_32", AudioFormat("mp3", rate=22_050, bit_rate=32_000)),
        ("mp3_44100", AudioFormat("mp3", rate=44_100)),
        ("opus_48000_64", AudioFormat("opus", rate=48_000, bit_rate=64_000)),
    ],
)
def test_each_name_stands_for_a_format(name: str, wanted: AudioFormat) -> None:
    """Rate, encoding and bits."""
    assert audio_format(name) == wanted


@pytest.mark.parametrize(
    "name", ["", "pcm", "pcm_1000", "pcm_99999", "opus_22050_64", "mp3_44100_999", "gsm_8000"]
)
def test_what_is_none_is_refused(name: str) -> None:
    """With some that there are."""
    with pytest.raises(Problem, match="pcm_8000") as caught:
        audio_format(name)
    assert caught.value.status == 400
