"""ElevenLabs' own SDK, unmodified, against our endpoints and sockets."""

from __future__ import annotations

import base64
from collections.abc import Iterator

import pytest
from conftest import Server
from elevenlabs import VoiceSettings
from elevenlabs.client import AsyncElevenLabs, ElevenLabs
from elevenlabs.core.api_error import ApiError

TEXT = "Good morning, how are you today?"
VOICE = "JBFqnCBsd6RMkjVDRZzb"
SECONDS = 1.0, 6.0


@pytest.fixture
def client(server: Server) -> ElevenLabs:
    """The SDK, with nothing but another address."""
    return ElevenLabs(api_key="any", base_url=f"http://{server.address}")


def seconds(pcm: bytes, rate: int, width: int = 2) -> float:
    return len(pcm) / rate / width


@pytest.mark.parametrize(
    ("name", "rate", "width"), [("pcm_16000", 16_000, 2), ("pcm_44100", 44_100, 2), ("ulaw_8000", 8000, 1)]
)
def test_a_text_is_spoken(client: ElevenLabs, name: str, rate: int, width: int) -> None:
    """At once and streamed, in the format that was asked for."""
    for way in (client.text_to_speech.convert, client.text_to_speech.stream):
        pcm = b"".join(way(VOICE, text=TEXT, model_id="eleven_flash_v2_5", output_format=name))
        assert SECONDS[0] < seconds(pcm, rate, width) < SECONDS[1]


def test_formats_of_files(client: ElevenLabs) -> None:
    """MP3 is what comes if nothing is asked for; Opus comes in Ogg."""
    assert b"".join(client.text_to_speech.convert(VOICE, text=TEXT))[:2] in (b"\xff\xfb", b"ID", b"\xff\xf3")
    assert (
        b"".join(client.text_to_speech.convert(VOICE, text=TEXT, output_format="opus_48000_32"))[:4]
        == b"OggS"
    )


def test_times_of_characters(client: ElevenLabs) -> None:
    """In one answer and streamed."""
    whole = client.text_to_speech.convert_with_timestamps(VOICE, text=TEXT, output_format="pcm_16000")
    assert "".join(whole.alignment.characters).rstrip() == TEXT
    parts = list(client.text_to_speech.stream_with_timestamps(VOICE, text=TEXT, output_format="pcm_16000"))
    told = [part.alignment for part in parts if part.alignment]
    assert "".join(char for each in told for char in each.characters).rstrip() == TEXT
    length_s = seconds(b"".join(base64.b64decode(part.audio_base_64) for part in parts), 16_000)
    assert length_s * 0.6 < told[-1].character_end_times_seconds[-1] <= length_s


def test_speed(client: ElevenLabs) -> None:
    """Faster speech is shorter."""
    ways = (None, VoiceSettings(speed=1.2))
    slow, fast = (
        len(
            b"".join(
                client.text_to_speech.convert(VOICE, text=TEXT, output_format="pcm_16000", voice_settings=way)
            )
        )
        for way in ways
    )
    assert slow / fast == pytest.approx(1.2, rel=0.05)


def test_text_as_it_comes(secure_server: str) -> None:
    """Over a socket, which the SDK opens with TLS alone."""
    client = ElevenLabs(api_key="any", base_url=secure_server)

    def text() -> Iterator[str]:
        yield from ("Good morning, ", "how are ", "you today?")

    pcm = b"".join(
        client.text_to_speech.convert_realtime(VOICE, text=text(), model_id="any", output_format="pcm_16000")
    )
    assert SECONDS[0] < seconds(pcm, 16_000) < SECONDS[1]


def test_voices_and_models(client: ElevenLabs) -> None:
    """They are read, and a voice that is listed can be spoken with."""
    voices = client.voices.get_all().voices
    assert (
        "slt" in [voice.voice_id for voice in voices] == [v.voice_id for v in client.voices.search().voices]
    )
    assert client.voices.get("slt").name == "slt"
    assert client.models.list()[0].can_do_text_to_speech
    assert b"".join(client.text_to_speech.convert("slt", text="Yes."))


async def test_asynchronously(server: Server) -> None:
    """The other half of the SDK."""
    client = AsyncElevenLabs(api_key="any", base_url=f"http://{server.address}")
    parts = [part async for part in client.text_to_speech.stream(VOICE, text=TEXT, output_format="pcm_24000")]
    assert SECONDS[0] < seconds(b"".join(parts), 24_000) < SECONDS[1]


def test_errors_are_theirs(client: ElevenLabs) -> None:
    """The SDK raises what it raises for the original service."""
    with pytest.raises(ApiError) as caught:
        b"".join(client.text_to_speech.convert("nobody", text=TEXT))
    assert caught.value.status_code == 404 and caught.value.body["detail"]["status"] == "voice_not_found"
