"""A real browser without a screen: Debian's Chromium, driven by Playwright."""

from __future__ import annotations

import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from playwright.async_api import Browser, Page, async_playwright

__all__ = ["CHROMIUM", "launched", "opened", "shown"]

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")

PATIENCE_MS = 120_000
"""What a page does not do by then it never does, however slow the machine."""

FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--autoplay-policy=no-user-gesture-required",
    "--disable-features=WebRtcHideLocalIpsWithMdns",
]


@asynccontextmanager
async def launched() -> AsyncIterator[Browser]:
    """A browser."""
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        try:
            yield browser
        finally:
            await browser.close()


@asynccontextmanager
async def shown(
    browser: Browser, url: str, width: int = 1100, **context: Any
) -> AsyncIterator[tuple[Page, list[str]]]:
    """A page that shares nothing with the browser's others, and what it complains about on its console."""
    page = await browser.new_page(viewport={"width": width, "height": 760}, **context)
    page.set_default_timeout(PATIENCE_MS)
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.on(
        "console",
        lambda said: errors.append(said.text) if said.type in ("error", "warning") else None,
    )
    try:
        await page.goto(url)
        yield page, errors
    finally:
        await page.close()


@asynccontextmanager
async def opened(url: str) -> AsyncIterator[tuple[Page, list[str]]]:
    """A page in a browser of its own."""
    async with launched() as browser, shown(browser, url) as found:
        yield found
