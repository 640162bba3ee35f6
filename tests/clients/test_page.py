"""The page has no barrier that axe-core knows, whatever it shows."""

from __future__ import annotations

import os
import shutil
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, Literal

import pytest
from conftest import Server
from playwright.async_api import Page, async_playwright, expect

AXE = Path(os.environ.get("CLIENTS_NODE", "node_modules")) / "axe-core" / "axe.min.js"
CHROMIUM = shutil.which("chromium")
FLAGS = ["--no-sandbox", "--disable-gpu", "--autoplay-policy=no-user-gesture-required"]
PATIENCE_MS = 120_000
"""What a page does not do by then it never does, however slow the machine."""
PHONE, DESK = 320, 1200

expect.set_options(timeout=PATIENCE_MS)
pytestmark = pytest.mark.skipif(CHROMIUM is None or not AXE.is_file(), reason="needs Chromium and axe-core")


@pytest.fixture(params=[("light", DESK), ("dark", PHONE)], ids=["light-desk", "dark-phone"])
async def page(request: pytest.FixtureRequest, server: Server) -> AsyncIterator[Page]:
    """The page, with axe-core in it."""
    scheme: Literal["light", "dark"]
    scheme, width = request.param
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        page = await browser.new_page(color_scheme=scheme, viewport={"width": width, "height": 800})
        page.set_default_timeout(PATIENCE_MS)
        await page.goto(f"http://{server.address}/")
        await expect(page.locator("#a .voice option")).to_have_count(4)
        await page.evaluate(AXE.read_text())
        yield page
        await browser.close()


async def barriers(page: Page) -> list[Any]:
    """Return what axe-core objects to, and where; all its rules, best practices included."""
    found: list[Any] = await page.evaluate(
        "axe.run().then(({violations}) => "
        "violations.map(({id, nodes}) => [id, nodes.map((node) => node.html)]))"
    )
    return found


async def test_it_would_find_one(page: Page) -> None:
    """A field without a name is a barrier."""
    await page.evaluate("document.querySelector('label[for=text]').remove()")
    assert "label" in [rule for rule, _ in await barriers(page)]


async def test_nothing_is_found_at_rest(page: Page) -> None:
    """As it comes, and with everything opened."""
    assert await barriers(page) == []
    await page.locator("#compare").check()
    await page.get_by_text("Your own voice").click()
    await page.get_by_text("API key").click()
    assert await barriers(page) == []


async def test_nothing_is_found_while_it_speaks_and_after(page: Page) -> None:
    """With text in its colors, heard and to come, and struck through."""
    await page.locator("#compare").check()
    await page.locator("input[name=hear][value=b]").check()
    await page.locator("input[value=llm]").check()
    await page.locator("#text").fill("Good morning, how are you today? " * 8)
    await page.locator("#speak").click()
    for side in "ab":
        await expect(page.locator(f"#{side} .heard")).to_contain_text("Good")
    assert await barriers(page) == []
    await page.locator("#interrupt").click()
    await expect(page.locator("#state")).to_have_text("interrupted")
    assert await barriers(page) == []


async def test_nothing_is_found_where_something_is_wrong(page: Page) -> None:
    """With a complaint shown."""
    await page.locator("#text").fill("...")
    await page.locator("#speak").click()
    await expect(page.locator("#problem")).to_be_visible()
    assert await barriers(page) == []
