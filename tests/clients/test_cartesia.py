"""Cartesia's SDKs, unmodified, against our endpoints and our socket."""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from cartesia import APIStatusError, AsyncCartesia, Cartesia
from conftest import Server

TEXT = "Good morning, how are you today?"
RAW = {"container": "raw", "encoding": "pcm_s16le", "sample_rate": 16_000}
VOICE = {"mode": "id", "id": "6ccbfb76-1fc6-48f7-b71d-91ac6298247b"}
SPEECH: dict[str, Any] = {"model_id": "sonic-3", "voice": VOICE, "output_format": RAW}
NODE = Path(os.environ.get("CLIENTS_NODE", "node_modules"))


def seconds(pcm: bytes) -> float:
    return len(pcm) / 2 / 16_000


@pytest.fixture
def client(server: Server) -> Cartesia:
    """The SDK, with nothing but other addresses."""
    return Cartesia(
        api_key="any", base_url=f"http://{server.address}", websocket_base_url=f"ws://{server.address}"
    )


def test_files(client: Cartesia) -> None:
    """Raw, WAV and MP3."""
    pcm = client.tts.generate(transcript=TEXT, **SPEECH).read()
    assert 1.0 < seconds(pcm) < 6.0
    wav = {"container": "wav", "encoding": "pcm_f32le", "sample_rate": 44_100}
    assert client.tts.generate(transcript=TEXT, **{**SPEECH, "output_format": wav}).read()[:4] == b"RIFF"
    mp3 = {"container": "mp3", "bit_rate": 64_000, "sample_rate": 22_050}
    assert len(client.tts.generate(transcript=TEXT, **{**SPEECH, "output_format": mp3}).read()) > 8000


def test_events(client: Cartesia) -> None:
    """Audio, and the times of words."""
    events = list(client.tts.generate_sse(transcript=TEXT, add_timestamps=True, context_id="c", **SPEECH))
    assert 1.0 < seconds(b"".join(event.audio for event in events if event.type == "chunk")) < 6.0
    words = [word for event in events if event.type == "timestamps" for word in event.word_timestamps.words]
    assert words == TEXT.split() and events[-1].type == "done" and events[-1].context_id == "c"


def test_a_context_over_a_socket(client: Cartesia) -> None:
    """Pushed piece by piece, with times and a flush; a second one on the same socket."""
    with client.tts.websocket_connect() as connection:
        for _ in range(2):
            context = connection.context(add_timestamps=True, max_buffer_delay_ms=300, **SPEECH)
            for piece in ("Good morning, ", "how are ", "you today?"):
                context.push(piece)
            context.send(transcript="", continue_=True, flush=True, **SPEECH)
            context.no_more_inputs()
            events = list(context.receive())
            assert 1.0 < seconds(b"".join(event.audio for event in events if event.type == "chunk")) < 6.0
            flushed = [event for event in events if event.type == "flush_done"]
            assert [(event.flush_id, event.flush_done) for event in flushed] == [(1, True)]
            told = [event.word_timestamps for event in events if event.type == "timestamps"]
            assert [word for each in told for word in each.words] == TEXT.split()
            assert events[-1].type == "done"


async def test_a_cancel_reaches_the_engine(server: Server) -> None:
    """In the asynchronous half of the SDK."""
    before = server.count('moss_streams_ended_total{how="cancelled"}')
    client = AsyncCartesia(
        api_key="any", base_url=f"http://{server.address}", websocket_base_url=f"ws://{server.address}"
    )
    async with client.tts.websocket_connect() as connection:
        context = connection.context(**SPEECH)
        await context.push("A very long answer that nobody wants to hear to its end. " * 10)
        async for event in context.receive():
            if event.type == "chunk":
                await context.cancel()
                break
    while server.count("moss_streams_active"):
        await asyncio.sleep(0.02)
    assert server.count('moss_streams_ended_total{how="cancelled"}') == before + 1


def test_errors_are_theirs(client: Cartesia) -> None:
    """With what is wrong, by request and over a socket, which lives."""
    with pytest.raises(APIStatusError) as caught:
        client.tts.generate(transcript="...", **SPEECH)
    assert caught.value.status_code == 400 and caught.value.body["error_code"] == "invalid_text"
    with client.tts.websocket_connect() as connection:
        context = connection.context(**{**SPEECH, "output_format": {**RAW, "sample_rate": 7}})
        context.send(
            transcript=TEXT, continue_=False, **{**SPEECH, "output_format": {**RAW, "sample_rate": 7}}
        )
        assert connection.recv().error_code == "invalid_message"
        context = connection.context(**SPEECH)
        context.send(transcript="Yes.", continue_=False, **SPEECH)
        assert list(context.receive())[-1].type == "done"


@pytest.mark.skipif(
    shutil.which("node") is None or not (NODE / "@cartesia").is_dir(), reason="needs Node and the npm SDK"
)
def test_the_sdk_of_npm(secure_server: str, tmp_path: Path) -> None:
    """The same in JavaScript, whose sockets are always TLS."""
    script = tmp_path / "client.cjs"
    script.write_text((Path(__file__).parent / "cartesia_client.cjs").read_text())
    (tmp_path / "node_modules").symlink_to(NODE.resolve())
    done = subprocess.run(
        ["node", script, secure_server],
        env={**os.environ, "NODE_EXTRA_CA_CERTS": os.environ["SSL_CERT_FILE"]},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == ["bytes", "sse", "socket"]
