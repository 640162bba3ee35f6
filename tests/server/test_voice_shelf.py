"""Voices that several servers share: in a folder, and in a store of fsspec."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from uuid import uuid4

import fsspec
import numpy as np
import pytest

from moss_stream import Voice
from moss_stream.errors import ConfigError
from moss_stream.server.http.problems import Problem
from moss_stream.server.stored_voice import StoredVoice
from moss_stream.server.voice_shelf import LEFT_S, Shelf, shelf_at
from moss_stream.server.voice_store import LOOK_S, VoiceStore

VOICE = Voice(np.arange(32, dtype=np.int64).reshape(4, 8), "k" * 40, "", sample_rate=24_000)


@pytest.fixture(params=["folder", "store"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A place for voices, with nothing in it."""
    return str(tmp_path / "voices") if request.param == "folder" else f"memory://{uuid4().hex}"


async def encoded(recording: bytes) -> Voice:
    return VOICE


def servers(place: str, clock: Callable[[], float] = lambda: 0.0) -> tuple[VoiceStore, VoiceStore]:
    """Return the voices of two servers that share a place."""
    first, second = (VoiceStore(shelf_at(place), encoded, {"lj"}, clock) for _ in range(2))
    return first, second


async def test_a_voice_is_there_for_all_at_once(place: str) -> None:
    """What one server stores, another speaks with and lists; codes, rate and consent are the same."""
    ours, theirs = servers(place)
    await theirs.load()
    assert await theirs.get("ada") is None
    await ours.add("ada", b"", "I agree.")
    found = await theirs.get("ada")
    assert found is not None and found.key == VOICE.key and found.sample_rate == 24_000
    np.testing.assert_array_equal(found.codes, VOICE.codes)
    assert [(each.name, each.consent) for each in await theirs.all()] == [("ada", "I agree.")]


async def test_a_name_is_given_once(place: str) -> None:
    """Also when another server took it, whether that is known already or not."""
    ours, theirs = servers(place)
    await ours.add("ada", b"", "I agree.")
    for _ in range(2):
        with pytest.raises(Problem) as refused:
            await theirs.add("ada", b"", "I agree, too.")
        assert refused.value.status == 409
    assert (await theirs.all())[0].consent == "I agree."


async def test_what_another_server_deletes_is_forgotten_within_a_second(place: str) -> None:
    """A voice that is known is spoken at once; the look for changes runs beside it."""
    now_s = 0.0
    ours, theirs = servers(place, lambda: now_s)
    await ours.add("ada", b"", "I agree.")
    assert await theirs.get("ada") is not None
    await ours.delete("ada")
    now_s = LOOK_S + 1
    await theirs.get("ada")
    assert theirs._look is not None
    await theirs._look
    assert await theirs.get("ada") is None and await theirs.all() == []
    await theirs.add("ada", b"", "I agree again.")  # the name is free
    assert (await ours.all())[0].consent == "I agree again."


async def test_both_delete_it(place: str) -> None:
    """The second one finds nothing, and says so."""
    ours, theirs = servers(place)
    await ours.add("ada", b"", "I agree.")
    await theirs.load()
    await ours.delete("ada")
    await theirs.delete("ada")  # it was known here: gone is gone
    with pytest.raises(Problem) as refused:
        await theirs.delete("ada")
    assert refused.value.status == 404


async def test_half_of_a_voice_is_never_seen(place: str, caplog: pytest.LogCaptureFixture) -> None:
    """Codes alone, or a file that says nothing sensible, are no voice; a warning is written once."""
    ours, _ = servers(place)
    await ours.add("ada", b"", "I agree.")
    store, root = fsspec.core.url_to_fs(place)
    store.pipe_file(f"{root}/eve.0123.npy", b"codes")
    store.pipe_file(f"{root}/bob.json", json.dumps({"codes": "../ada.npy"}).encode())
    store.pipe_file(f"{root}/max.json", b"x" * (5 << 20))
    _, theirs = servers(place)
    for _ in range(2):
        assert [each.name for each in await theirs.all()] == ["ada"]
    assert [name for name in ("bob", "max") if caplog.text.count(f"voice {name}.json") == 1] == ["bob", "max"]


class Away:
    """A place that cannot be reached for a while."""

    def stamps(self) -> dict[str, str]:
        raise ConnectionError("no route")

    def read(self, name: str) -> tuple[StoredVoice, Voice]:
        raise ConnectionError("no route")

    def write(self, stored: StoredVoice, voice: Voice) -> None:
        raise ConnectionError("no route")

    def remove(self, name: str) -> None:
        raise ConnectionError("no route")


async def test_a_place_that_is_away(caplog: pytest.LogCaptureFixture) -> None:
    """The server starts; who asks for an uploaded voice, or stores one, is told to try again."""
    away: Shelf = Away()
    store = VoiceStore(away, encoded)
    await store.load()
    assert "cannot be looked through" in caplog.text
    with pytest.raises(Problem) as refused:
        await store.get("ada")
    assert refused.value.status == 503
    with pytest.raises(Problem) as unstored:
        await store.add("ada", b"", "I agree.")
    assert unstored.value.status == 507


def test_what_others_write_is_left_alone(tmp_path: Path) -> None:
    """Only what is old enough was left by an interrupted writer."""
    young, old = tmp_path / ".a.json.1.part", tmp_path / ".b.json.2.part"
    for file in (young, old):
        file.touch()
    past = old.stat().st_mtime - LEFT_S - 1
    os.utime(old, (past, past))
    shelf_at(tmp_path).stamps()
    assert young.exists() and not old.exists()


@pytest.mark.parametrize("address", ["nothing://voices", "s4://bucket"])
def test_an_address_that_means_nothing(address: str) -> None:
    """It is refused, with what may be given instead."""
    with pytest.raises(ConfigError, match="Give a folder"):
        shelf_at(address)
