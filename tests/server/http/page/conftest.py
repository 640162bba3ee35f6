"""The page in a real browser, on a server that speaks with the embedded voice."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from limits import HANG_S
from playwright.async_api import Browser, Page, expect
from web import running

from benchmarks.browser import CHROMIUM, launched, shown
from moss_stream import StreamingSynthesizer

expect.set_options(timeout=1000 * HANG_S)


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def address() -> AsyncIterator[str]:
    """Of a server that speaks with the embedded voice; one for all tests."""
    async with await StreamingSynthesizer.load() as synth, running(synth) as client:
        yield str(client.base_url)


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def browser() -> AsyncIterator[Browser]:
    """One for all tests."""
    if CHROMIUM is None:
        pytest.skip("not installed: chromium")
    async with launched() as browser:
        yield browser


@pytest_asyncio.fixture(loop_scope="module")
async def page(browser: Browser, address: str) -> AsyncIterator[Page]:
    """The page, ready to speak; nothing may complain on its console."""
    async with shown(browser, address) as (page, errors):
        await expect(page.locator("#a .voice option")).to_have_count(4)
        yield page
        assert not errors
