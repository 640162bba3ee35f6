from __future__ import annotations

import numpy as np
import pytest

from moss_stream import AudioError
from moss_stream.engine.protocol import EngineInfo
from moss_stream.voice_finder import VoiceFinder
from moss_stream.voices import Reference, Voice

OWN = Voice(np.zeros((2, 4), np.int64), "Anna")
INFO = EngineInfo(4, "a fake", {"Anna": OWN}, codec_codebooks=8)


async def encode(reference: Reference) -> Voice:
    return Voice(np.arange(16).reshape(2, 8), str(reference))


def finder() -> VoiceFinder:
    return VoiceFinder(INFO, encode)


async def test_by_name_as_it_is_or_in_a_recording() -> None:
    """A recording is encoded with all codebooks of the codec; the model is shown those that it has."""
    assert await finder().find(None)() is None
    assert await finder().find("Anna")() is OWN
    found = await finder().find(b"RIFF")()
    assert found is not None and found.codes.tolist() == [[0, 1, 2, 3], [8, 9, 10, 11]]


async def test_a_voice_of_another_model_of_the_codec_is_cut() -> None:
    """To the codebooks of this one; with fewer, or more than the codec has, it is another codec's."""
    found = await finder().find(await encode("x"))()
    assert found is not None and found.codes.shape == (2, 4) and found.key == "x"
    for count in (3, 9):
        with pytest.raises(AudioError, match=f"{count} codebooks"):
            finder().find(Voice(np.zeros((2, count), np.int64), "x"))


async def test_no_such_voice() -> None:
    """Says what there is."""
    with pytest.raises(AudioError, match="voice of this model: Anna"):
        await finder().find("nobody")()
