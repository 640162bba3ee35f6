from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from moss_stream.formats.output import AudioFormat
from moss_stream.server.deepgram.query import SpeakQuery
from moss_stream.server.http.problems import Problem


@pytest.mark.parametrize(
    ("asked", "wanted"),
    [
        ({}, AudioFormat("mp3", rate=22_050)),
        ({"encoding": "linear16"}, AudioFormat("wav", rate=24_000)),
        ({"encoding": "linear16", "container": "none", "sample_rate": "16000"}, AudioFormat(rate=16_000)),
        ({"encoding": "mulaw", "container": "none"}, AudioFormat("raw", "pcm_mulaw", 8000)),
        ({"encoding": "alaw"}, AudioFormat("wav", "pcm_alaw", 8000)),
        ({"encoding": "opus", "bit_rate": "32000"}, AudioFormat("opus", rate=48_000, bit_rate=32_000)),
        ({"encoding": "flac", "sample_rate": "16000"}, AudioFormat("flac", rate=16_000)),
        ({"encoding": "aac", "speed": "1.2"}, AudioFormat("aac", rate=22_050, speed=1.2)),
    ],
)
def test_what_a_request_asks(asked: dict[str, Any], wanted: AudioFormat) -> None:
    """Usual rates and containers where it does not say."""
    assert SpeakQuery.model_validate(asked).file() == wanted


def test_a_socket_has_no_headers() -> None:
    """Samples at 24 kHz, unless it says; what needs a container is refused."""
    assert SpeakQuery().raw() == AudioFormat(rate=24_000)
    assert SpeakQuery(encoding="mulaw", sample_rate=16_000).raw() == AudioFormat("raw", "pcm_mulaw", 16_000)
    with pytest.raises(Problem, match="linear16"):
        SpeakQuery(encoding="mp3").raw()


def test_what_does_not_go_together_is_refused() -> None:
    """With what would."""
    with pytest.raises(Problem, match="opus comes in ogg"):
        SpeakQuery(encoding="opus", container="wav").file()
    with pytest.raises(ValidationError):
        SpeakQuery.model_validate({"sample_rate": 7})
