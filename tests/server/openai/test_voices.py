from __future__ import annotations

import asyncio
import io
import json
import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile
from fakes import AbleFake, FakeEngine
from web import served

from moss_stream import Voice

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


async def test_names_that_mean_something_else_are_taken(tmp_path: Path) -> None:
    """A voice that could not be reached under its name is not stored under it."""
    own = {"slt": Voice(np.zeros((5, 4), np.int64), "slt")}
    async with served(FakeEngine(voices=own), voices=tmp_path) as (client, _):
        for name in ("slt", "nova", "alloy", "default"):
            answer = await client.post(PATH, **form(name))  # type: ignore[arg-type]
            assert answer.status_code == 409 and answer.json()["error"]["code"] == "name_taken"
    assert not await asyncio.to_thread(lambda: list(tmp_path.iterdir()))


async def test_of_uploads_of_one_name_at_once_one_succeeds(tmp_path: Path) -> None:
    """The others are told that it is taken, also by another server with the same folder."""
    async with served(voices=tmp_path) as (client, _), served(voices=tmp_path) as (other, _):
        uploads = [client.post(PATH, **form("anna", audio=recording(1 + n / 10))) for n in range(4)]  # type: ignore[arg-type]
        statuses = sorted(answer.status_code for answer in await asyncio.gather(*uploads))
        assert statuses == [201, 409, 409, 409]
        assert (await other.post(PATH, **form("anna"))).status_code == 409  # type: ignore[arg-type]
        body = {"input": "Hello there.", "voice": "anna"}
        assert (await client.post("/v1/audio/speech", json=body)).status_code == 200


async def test_a_full_disk_leaves_nothing_and_the_name_is_free(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The upload is refused with the reason; later it can be made again."""

    def full(file: object, codes: object) -> None:
        raise OSError(28, "No space left on device")

    async with served(voices=tmp_path) as (client, _):
        with monkeypatch.context() as patch:
            patch.setattr("moss_stream.server.voice_shelf.np.save", full)
            answer = await client.post(PATH, **form("anna"))  # type: ignore[arg-type]
        assert answer.status_code == 507 and "No space left" in answer.json()["error"]["message"]
        assert not await asyncio.to_thread(lambda: list(tmp_path.iterdir()))
        assert (await client.post(PATH, **form("anna"))).status_code == 201  # type: ignore[arg-type]


def claimed(codes: Path) -> None:
    """A header that claims more than there is memory."""
    header = {"descr": "<i2", "fortran_order": False, "shape": (2**40, 8)}
    with codes.open("wb") as file:
        np.lib.format.write_array_header_1_0(file, header)


def about(**fields: object) -> Callable[[Path, Path], object]:
    """Changes what is said of a voice."""

    def write(said: Path, codes: Path) -> None:
        said.write_text(json.dumps({**json.loads(said.read_text()), **fields}))

    return write


DAMAGES: dict[str, Callable[[Path, Path], object]] = {
    "empty": lambda said, codes: said.write_bytes(b""),
    "no json": lambda said, codes: said.write_bytes(b"\xff" * 10),
    "no fields": lambda said, codes: said.write_text("{}"),
    "a list": lambda said, codes: said.write_text("[1]"),
    "a number": lambda said, codes: said.write_text("5"),
    "null": lambda said, codes: said.write_text("null"),
    "nested": lambda said, codes: said.write_text("[" * 100_000),
    "endless": about(seconds=10**400),
    "not finite": about(seconds=float("nan")),
    "a name": about(codes=5),
    "a surrogate": about(consent="\ud800"),
    "empty codes": lambda said, codes: codes.write_bytes(b""),
    "no codes": lambda said, codes: codes.unlink(),
    "pickle": lambda said, codes: np.save(codes, np.array([{}], dtype=object)),
    "zip": lambda said, codes: codes.write_bytes(b"PK\x03\x04" + b"x" * 100),
    "cut header": lambda said, codes: codes.write_bytes(codes.read_bytes()[:40]),
    "huge": lambda said, codes: claimed(codes),
}


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES)
async def test_a_damaged_voice_does_not_stop_the_server(
    tmp_path: Path, damage: Callable[[Path, Path], object], caplog: pytest.LogCaptureFixture
) -> None:
    """It is passed over with a warning that names the file; the others are there."""
    async with served(voices=tmp_path) as (client, _):
        for name in ("anna", "bert"):
            assert (await client.post(PATH, **form(name))).status_code == 201  # type: ignore[arg-type]

    def spoil() -> None:
        (codes,) = tmp_path.glob("anna.*.npy")
        damage(tmp_path / "anna.json", codes)
        left = tmp_path / ".bert.json.0badcafe.part"
        left.write_bytes(b"left over")
        os.utime(left, (0, 0))  # a young one may be another server's, which is writing

    await asyncio.to_thread(spoil)
    async with served(voices=tmp_path) as (client, _):
        assert [voice["id"] for voice in (await client.get(PATH)).json()["voices"]] == ["bert"]
    assert "anna.json" in caplog.text
    assert not await asyncio.to_thread(lambda: list(tmp_path.glob("*.part")))


async def test_a_voice_is_made_up_and_spoken_with(tmp_path: Path) -> None:
    """Stored like one that was uploaded; its description stands where consent does."""
    engine = AbleFake()
    async with served(engine, voices=tmp_path / "voices") as (client, _):
        body = {"name": "calm", "description": "A calm, low voice", "text": "Good morning.", "seed": 5}
        made = await client.post(f"{PATH}/design", json=body)
        assert made.status_code == 201 and made.json()["consent"] == "Made up: A calm, low voice"
        spoken = await client.post("/v1/audio/speech", json={"input": "Hello.", "voice": "calm"})
        assert spoken.status_code == 200
        again = await client.post(f"{PATH}/design", json=body)
        assert again.status_code == 409 and again.json()["error"]["code"] == "name_taken"


async def test_what_cannot_be_made_up_is_refused(tmp_path: Path) -> None:
    """Without a description, or by a model that was not trained for it; nothing is stored."""
    for engine, description in ((AbleFake(), " "), (FakeEngine(), "calm")):
        async with served(engine, voices=tmp_path / "voices") as (client, _):
            answer = await client.post(f"{PATH}/design", json={"name": "a", "description": description})
            assert answer.status_code == 400
            assert (await client.get(PATH)).json()["voices"] == []
