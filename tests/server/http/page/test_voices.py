from __future__ import annotations

import io
from collections.abc import AsyncIterator
from pathlib import Path

import numpy as np
import pytest
import pytest_asyncio
import soundfile
from playwright.async_api import Browser, FilePayload, Page, expect
from web import running

from benchmarks.browser import shown
from moss_stream import StreamingSynthesizer

pytestmark = [pytest.mark.slow, pytest.mark.asyncio(loop_scope="module")]


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def address(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[str]:
    """Of a server that keeps voices, and wants a key."""
    folder: Path = tmp_path_factory.mktemp("voices")
    async with await StreamingSynthesizer.load() as synth:
        async with running(synth, voices=str(folder), api_keys=["the-secret"]) as client:
            yield str(client.base_url)


@pytest_asyncio.fixture(loop_scope="module")
async def page(browser: Browser, address: str) -> AsyncIterator[Page]:
    """The page, with the key. Its console has what was refused, so it is not looked at."""
    async with shown(browser, address) as (page, _):
        await expect(page.locator("#problem")).to_have_text("Give the API key of this server.")
        await page.locator("#key").fill("the-secret")
        await page.keyboard.press("Enter")
        await expect(page.locator("#a .voice option")).to_have_count(4)
        await page.get_by_text("Your own voice").click()
        yield page


def recording(seconds: float) -> FilePayload:
    """Return a file with a sound."""
    file = io.BytesIO()
    sound = 0.3 * np.sin(np.arange(int(seconds * 16_000)) / 7)
    soundfile.write(file, sound, 16_000, format="WAV")
    return {"name": "me.wav", "mimeType": "audio/wav", "buffer": file.getvalue()}


async def upload(page: Page, name: str, file: FilePayload) -> None:
    """Fill in the form, and send it."""
    await page.get_by_label("Name").fill(name)
    await page.get_by_label("Recording").set_input_files(file)
    await page.get_by_label("Who agreed").fill("I did, on paper.")
    await page.get_by_role("button", name="Upload").click()


async def test_a_key_is_asked_for(page: Page) -> None:
    """The field opens by itself; with the key, the voices are there and the complaint is gone."""
    await expect(page.locator("#key")).to_be_visible()
    await expect(page.locator("#problem")).to_be_hidden()


async def test_a_voice_is_uploaded_spoken_with_and_deleted(page: Page) -> None:
    """A has it at once; when it is deleted, nobody can choose it."""
    await upload(page, "mine", recording(1.0))
    await expect(page.locator("#stored")).to_contain_text("A speaks with the voice mine")
    await expect(page.locator("#a .voice")).to_have_value("mine")
    await expect(page.locator("#b .voice")).to_have_value("")
    await page.locator("#text").fill("Hello.")
    await page.locator("#speak").click()
    await expect(page.locator("#state")).to_have_text("done")
    await page.get_by_role("button", name="Delete the voice mine").click()
    await expect(page.locator("#stored")).to_contain_text("The voice mine is deleted.")
    await expect(page.locator("#a .voice")).to_have_value("")
    await expect(page.locator("#a .voice option")).to_have_count(4)
    await expect(page.get_by_label("Name")).to_be_focused()


async def test_what_is_wrong_with_an_upload_is_told(page: Page) -> None:
    """Too short, no sound, a name that is taken: each in words, and the form keeps what was typed."""
    await upload(page, "short", recording(0.2))
    await expect(page.locator("#stored")).to_contain_text("0.5")
    assert await page.get_by_label("Name").input_value() == "short"
    await upload(page, "text", {"name": "a.txt", "mimeType": "text/plain", "buffer": b"This is no sound."})
    await expect(page.locator("#stored")).to_contain_text("not audio that can be read")
    await upload(page, "rms", recording(1.0))
    await expect(page.locator("#stored")).to_contain_text("rms")


async def test_a_voice_that_is_gone_fails_one_side_alone(page: Page) -> None:
    """Somebody else deleted it: B says so, A speaks."""
    await upload(page, "soon", recording(1.0))
    await expect(page.locator("#a .voice")).to_have_value("soon")
    await page.locator("#a .voice").select_option("")
    await page.locator("#compare").check()
    await page.locator("#b .voice").select_option("soon")
    await page.evaluate(
        "fetch('/v1/audio/voices/soon', {method: 'DELETE', headers: {Authorization: 'Bearer the-secret'}})"
    )
    await page.locator("input[name=hear][value=a]").check()
    await page.locator("#text").fill("Hello.")
    await page.locator("#speak").click()
    await expect(page.locator("#problem")).to_contain_text("soon")
    await expect(page.locator("#b")).to_have_attribute("data-state", "failed")
    await expect(page.locator("#a")).to_have_attribute("data-state", "done")
