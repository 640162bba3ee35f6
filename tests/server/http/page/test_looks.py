from __future__ import annotations

from typing import Literal

import pytest
from playwright.async_api import Browser, Page, expect

from benchmarks.browser import shown

pytestmark = [pytest.mark.slow, pytest.mark.asyncio(loop_scope="module")]
LONG = "Good morning, how are you today? " * 6 + "Well?"


async def test_it_is_used_with_keys_alone(page: Page) -> None:
    """Ctrl+Enter in the text speaks, Escape interrupts; the keyboard stays with a button that works."""
    await page.locator("#text").fill(LONG)
    await page.keyboard.press("Control+Enter")
    await expect(page.locator("#a .heard")).to_contain_text("morning")
    await page.keyboard.press("Escape")
    await expect(page.locator("#state")).to_have_text("interrupted")
    await page.locator("#speak").focus()
    await page.keyboard.press("Enter")
    await expect(page.locator("#interrupt")).to_be_focused()
    await expect(page.locator("#a .heard")).to_contain_text("morning")
    await page.keyboard.press("Enter")
    await expect(page.locator("#state")).to_have_text("interrupted")
    await expect(page.locator("#speak")).to_be_focused()


async def test_who_does_not_see_it_is_told(page: Page) -> None:
    """Once at the end, in a sentence: not each figure while it changes."""
    await page.locator("#text").fill("Good morning.")
    await page.locator("#speak").click()
    await expect(page.locator("#news")).to_contain_text("A is done. First audio: ")
    await expect(page.get_by_role("img", name="A is done.")).to_be_visible()
    assert await page.locator("#a [aria-live], #a [role=status], #a output").count() == 0


@pytest.mark.parametrize("width", [320, 768])
async def test_nothing_is_wider_than_the_screen(browser: Browser, address: str, width: int) -> None:
    """With all of it open, a phone scrolls down and not to the side."""
    async with shown(browser, address, width) as (page, errors):
        await page.locator("#compare").check()
        await page.get_by_text("Your own voice").click()
        await page.get_by_text("API key").click()
        await page.locator("#text").fill("Good morning, dear Donaudampfschifffahrtsgesellschaftskapitaen.")
        await page.locator("#speak").click()
        await expect(page.locator("#a .heard")).to_contain_text("morning")
        assert await page.evaluate("document.documentElement.scrollWidth") == width
        assert not errors


@pytest.mark.parametrize(("scheme", "paper"), [("light", (244, 246, 243)), ("dark", (16, 20, 18))])
async def test_it_is_dark_where_the_system_is(
    browser: Browser, address: str, scheme: Literal["light", "dark"], paper: tuple[int, int, int]
) -> None:
    """The paper, and the pictures with it."""
    async with shown(browser, address, color_scheme=scheme) as (page, _):
        color = await page.evaluate("getComputedStyle(document.body).backgroundColor")
        assert color == f"rgb{paper}"
        await page.locator("#text").fill("Good morning.")
        await page.locator("#speak").click()
        await expect(page.locator("#state")).to_have_text("done")
        green = {"light": [28, 107, 64, 255], "dark": [111, 211, 154, 255]}[scheme]
        assert await page.evaluate(COUNT, green) > 100


# How many pixels of A's picture have a color.
COUNT = """(color) => {
  const canvas = document.querySelector("#a canvas");
  const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
  let count = 0;
  for (let at = 0; at < data.length; at += 4) {
    count += color.every((part, index) => data[at + index] === part);
  }
  return count;
}"""
