from __future__ import annotations

import asyncio
import io
from pathlib import Path

import numpy as np
import pytest
import soundfile
from web import served

PATH = "/v1/audio/voices"


def recording(seconds: float = 1.0) -> bytes:
    """A tone as a WAV file."""
    samples = np.sin(np.arange(int(seconds * 24_000)) * 0.05) * 0.3
    file = io.BytesIO()
    soundfile.write(file, samples, 24_000, format="WAV")
    return file.getvalue()


def form(name: str, consent: str = "I agree. The speaker", audio: bytes | None = None) -> dict[str, object]:
    return {"data": {"name": name, "consent": consent}, "files": {"audio": audio or recording()}}


async def test_a_voice_is_uploaded_spoken_with_and_deleted(tmp_path: Path) -> None:
    """It is listed with its consent, is there after a restart, and gone after its deletion."""
    async with served(voices=tmp_path / "voices") as (client, _):
        made = await client.post(PATH, **form("anna"))  # type: ignore[arg-type]
        assert made.status_code == 201 and made.json()["seconds"] == pytest.approx(0.96, abs=0.05)
        assert (await client.post(PATH, **form("anna"))).json()["error"]["code"] == "name_taken"  # type: ignore[arg-type]
    async with served(voices=tmp_path / "voices") as (client, _):
        (listed,) = (await client.get(PATH)).json()["voices"]
        assert listed["id"] == "anna" and listed["consent"] == "I agree. The speaker"
        body = {"input": "Hello there.", "voice": "anna"}
        assert (await client.post("/v1/audio/speech", json=body)).status_code == 200
        assert (await client.delete(f"{PATH}/anna")).status_code == 204
        assert (await client.delete(f"{PATH}/anna")).status_code == 404
        assert (await client.post("/v1/audio/speech", json=body)).status_code == 400
    assert await asyncio.to_thread(lambda: list((tmp_path / "voices").iterdir())) == []


@pytest.mark.parametrize("name", ["../evil", "..", "a/b", "A", "", "x" * 65, "a b", "a.json", "\u00e9"])
async def test_a_name_is_never_a_path(tmp_path: Path, name: str) -> None:
    """What could leave the folder is refused, in uploads and in paths."""
    async with served(voices=tmp_path / "voices") as (client, _):
        answer = await client.post(PATH, **form(name))  # type: ignore[arg-type]
        assert answer.status_code == 400
        assert (await client.delete(f"{PATH}/{name or 'x'}")).status_code in (404, 405)
    assert not await asyncio.to_thread(lambda: list(tmp_path.rglob("*.npy")))


async def test_what_cannot_be_used_is_refused(tmp_path: Path) -> None:
    """No consent, no audio, silence, and a server that stores nothing."""
    async with served(voices=tmp_path) as (client, _):
        for bad, code in (
            (form("a", consent="  "), "no_consent"),
            (form("a", audio=b"no audio at all"), "invalid_audio"),
            (form("a", audio=recording(0.1)), "invalid_audio"),
        ):
            answer = await client.post(PATH, **bad)  # type: ignore[arg-type]
            assert answer.status_code == 400 and answer.json()["error"]["code"] == code
    async with served() as (client, _):
        assert (await client.post(PATH, **form("a"))).status_code == 403  # type: ignore[arg-type]
