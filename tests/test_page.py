from __future__ import annotations

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from playwright.async_api import Page, expect
from web import running, served

from benchmarks.browser import CHROMIUM, opened
from moss_stream import StreamingSynthesizer

needs_chromium = pytest.mark.skipif(CHROMIUM is None, reason="not installed: chromium")
ARTEFACTS = Path(__file__).parent.parent / "test-artefacts"
TEXT = "The quick brown fox jumps over the lazy dog. Good morning, how are you today?"


async def test_the_page_comes_with_its_parts_and_no_others() -> None:
    """Everything that the page names is there; no request reaches another file."""
    async with served() as (client, _):
        page = await client.get("/")
        assert page.headers["content-type"].startswith("text/html")
        assert "default-src 'self'" in page.headers["content-security-policy"]
        for part in re.findall(r'(?:href|src)="(/page/[^"]+)"', page.text):
            assert (await client.get(part)).status_code == 200
        script = await client.get("/page/app.js")
        assert "javascript" in script.headers["content-type"]
        for name in ("page.py", "..%2fpage.py", "%2e%2e/page.py", "../../etc/passwd"):
            assert (await client.get(f"/page/{name}")).status_code == 404


@asynccontextmanager
async def shown() -> AsyncIterator[tuple[Page, list[str]]]:
    """The page of a server that speaks with the embedded voice."""
    async with await StreamingSynthesizer.load() as synth, running(synth) as client:
        async with opened(str(client.base_url)) as (page, errors):
            await expect(page.locator("#voice option")).to_have_count(4)
            yield page, errors


async def sounding(page: Page) -> int:
    return int(await page.locator("#samples").inner_text())


@pytest.mark.slow
@needs_chromium
@pytest.mark.parametrize("transport", ["socket", "call"])
async def test_it_speaks_and_can_be_interrupted(transport: str) -> None:
    """A text is typed and heard; an interruption silences it and shows which words were heard."""
    async with shown() as (page, errors):
        await page.locator(f"input[value={transport}]").check()
        await page.locator("#text").fill(TEXT)
        await page.locator("#speak").click()
        await expect(page.locator("#state")).to_have_text("speaking")
        await expect(page.locator("#heard")).to_contain_text("fox")
        await page.screenshot(path=ARTEFACTS / f"{transport}-speaking.png")
        await page.locator("#interrupt").click()
        await expect(page.locator("#state")).to_have_text("interrupted")
        heard, unheard = [await page.locator(part).inner_text() for part in ("#heard", "#unheard")]
        assert heard + unheard == TEXT and "quick" in heard and "today" in unheard
        assert await sounding(page) > 5000
        await page.screenshot(path=ARTEFACTS / f"{transport}-interrupted.png")
        assert not errors


@pytest.mark.slow
@needs_chromium
async def test_text_arrives_as_from_a_language_model() -> None:
    """Token by token it is spoken to its end, with fewer codebooks and another voice, without gaps."""
    async with shown() as (page, errors):
        await page.locator("#text").fill("Good morning.")
        await page.locator("input[value=llm]").check()
        await page.locator("#rate").fill("50")
        await page.locator("#codebooks").fill("4")
        await page.locator("#voice").select_option("slt")
        await page.locator("#speak").click()
        await expect(page.locator("#state")).to_have_text("done")
        assert await page.locator("#heard").inner_text() == "Good morning."
        assert re.fullmatch(r"\d+ ms", await page.locator("#first").inner_text())
        assert await page.locator("#gaps").inner_text() == "0"
        before = await sounding(page)
        assert before > 5000
        await page.locator("#speak").click()
        await expect(page.locator("#state")).to_have_text("done")
        assert await sounding(page) > before, "the same connection speaks again"
        await page.screenshot(path=ARTEFACTS / "done.png")
        assert not errors


@pytest.mark.slow
@needs_chromium
async def test_what_goes_wrong_is_shown() -> None:
    """A text without words is refused in words; the next one is spoken."""
    async with shown() as (page, errors):
        await page.locator("#text").fill("...")
        await page.locator("#speak").click()
        await expect(page.locator("#problem")).to_be_visible()
        assert "nothing" in (await page.locator("#problem").inner_text()).lower()
        await page.locator("#text").fill("Hello.")
        await page.locator("#speak").click()
        await expect(page.locator("#problem")).to_be_hidden()
        await expect(page.locator("#state")).to_have_text("done")
        assert not errors
