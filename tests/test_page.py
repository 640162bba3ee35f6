from __future__ import annotations

import re
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from limits import HANG_S
from playwright.async_api import Browser, Page, expect
from web import running, served

from benchmarks.browser import CHROMIUM, launched, shown
from moss_stream import StreamingSynthesizer

pytestmark = pytest.mark.asyncio(loop_scope="module")
expect.set_options(timeout=1000 * HANG_S)
needs_chromium = pytest.mark.skipif(CHROMIUM is None, reason="not installed: chromium")
ARTEFACTS = Path(__file__).parent.parent / "test-artefacts"
# Long enough that an interruption comes before its end, however slow the browser is.
TEXT = "The quick brown fox jumps over the lazy dog. " + "Good morning, how are you today? " * 4 + "Well?"


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


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def address() -> AsyncIterator[str]:
    """Of a server that speaks with the embedded voice; one for all tests."""
    async with await StreamingSynthesizer.load() as synth, running(synth) as client:
        yield str(client.base_url)


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def browser() -> AsyncIterator[Browser]:
    """One for all tests."""
    async with launched() as browser:
        yield browser


@pytest_asyncio.fixture(loop_scope="module")
async def page(address: str, browser: Browser) -> AsyncIterator[Page]:
    """The page, ready to speak; nothing may complain on its console."""
    async with shown(browser, address) as (page, errors):
        await expect(page.locator("#voice option")).to_have_count(4)
        yield page
        assert not errors


async def sounding(page: Page) -> int:
    return int(await page.locator("#samples").inner_text())


@pytest.mark.slow
@needs_chromium
@pytest.mark.parametrize("transport", ["socket", "call"])
async def test_it_speaks_and_can_be_interrupted(page: Page, transport: str) -> None:
    """A text is typed and heard; an interruption silences it and shows which words were heard."""
    await page.locator(f"input[value={transport}]").check()
    await page.locator("#text").fill(TEXT)
    await page.locator("#speak").click()
    await expect(page.locator("#state")).to_have_text("speaking")
    await expect(page.locator("#heard")).to_contain_text("fox")
    await page.screenshot(path=ARTEFACTS / f"{transport}-speaking.png")
    await page.locator("#interrupt").click()
    await expect(page.locator("#state")).to_have_text("interrupted")
    heard, unheard = [await page.locator(part).inner_text() for part in ("#heard", "#unheard")]
    assert heard + unheard == TEXT and "quick" in heard and "Well" in unheard
    assert await sounding(page) > 5000
    await page.screenshot(path=ARTEFACTS / f"{transport}-interrupted.png")


@pytest.mark.slow
@needs_chromium
async def test_text_arrives_as_from_a_language_model(page: Page) -> None:
    """Token by token it is spoken to its end, with fewer codebooks and another voice, without gaps."""
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


@pytest.mark.slow
@needs_chromium
async def test_what_goes_wrong_is_shown(page: Page) -> None:
    """A text without words is refused in words; the next one is spoken."""
    await page.locator("#text").fill("...")
    await page.locator("#speak").click()
    await expect(page.locator("#problem")).to_be_visible()
    assert "nothing" in (await page.locator("#problem").inner_text()).lower()
    await page.locator("#text").fill("Hello.")
    await page.locator("#speak").click()
    await expect(page.locator("#problem")).to_be_hidden()
    await expect(page.locator("#state")).to_have_text("done")
