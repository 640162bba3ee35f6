from __future__ import annotations

import json
from typing import Any

import pytest
from playwright.async_api import Browser, Page, WebSocket, expect

from benchmarks.browser import shown

pytestmark = [pytest.mark.slow, pytest.mark.asyncio(loop_scope="module")]
LONG = "Good morning, how are you today? " * 6 + "Well?"

# What leads to the speaker is listened to as well, for each side in the order in which they connect.
EARS = """
const ears = [];
const connect = AudioNode.prototype.connect;
AudioNode.prototype.connect = function (to, ...rest) {
  if (to instanceof AudioDestinationNode) {
    ears.push(new AnalyserNode(this.context));
    connect.call(this, ears.at(-1));
  }
  return connect.call(this, to, ...rest);
};
window.isLoud = (number) => {
  const samples = new Float32Array(ears[number].fftSize);
  ears[number].getFloatTimeDomainData(samples);
  return samples.some((sample) => Math.abs(sample) > 0.01);
};
"""


def starts_of(page: Page) -> list[dict[str, Any]]:
    """Return a list that fills with the streams that the page begins."""
    starts: list[dict[str, Any]] = []

    def note(payload: str | bytes) -> None:
        message = json.loads(payload)
        if message["type"] == "start":
            starts.append(message)

    def listen(socket: WebSocket) -> None:
        socket.on("framesent", note)

    page.on("websocket", listen)
    return starts


async def compare(page: Page, text: str, hear: str = "turns") -> None:
    """Let two settings speak."""
    await page.locator("#compare").check()
    await page.locator(f"input[name=hear][value={hear}]").check()
    await page.locator("#text").fill(text)
    await page.locator("#speak").click()


async def test_two_settings_speak_one_after_the_other(page: Page) -> None:
    """A with all codebooks, then B with four and another voice; what each of them costs is shown."""
    starts = starts_of(page)
    await expect(page.locator("#b")).to_be_hidden()
    await page.locator("#compare").check()
    await page.locator("#b .voice").select_option("slt")
    await compare(page, "Good morning.")
    await expect(page.locator("#b")).to_have_attribute("data-state", "speaking")
    await expect(page.locator("#a")).to_have_attribute("data-state", "done")
    await expect(page.locator("#b")).to_have_attribute("data-state", "done")
    assert [(start["n_vq"], start["voice"]) for start in starts] == [(8, None), (4, "slt")]
    for side in "ab":
        assert await page.locator(f"#{side} .heard").inner_text() == "Good morning."
        assert (await page.locator(f"#{side} .first").inner_text()).endswith(" ms")
    await expect(page.locator("#news")).to_contain_text("A is done. First audio: ")
    await expect(page.locator("#news")).to_contain_text("B is done. First audio: ")


async def test_both_speak_at_once_and_one_is_heard(browser: Browser, address: str) -> None:
    """The other one is silent, until it is chosen instead."""
    async with shown(browser, "about:blank", bypass_csp=True) as (page, errors):
        await page.add_init_script(EARS)
        await page.goto(address)
        await compare(page, "Hello.")  # so that A is connected before B
        await expect(page.locator("#b")).to_have_attribute("data-state", "done")
        await compare(page, LONG, hear="b")
        await page.wait_for_function("isLoud(1)")
        assert not await page.evaluate("isLoud(0)")
        for side in "ab":
            await expect(page.locator(f"#{side}")).to_have_attribute("data-state", "speaking")
        await page.locator("input[name=hear][value=a]").check()
        await page.wait_for_function("isLoud(0)")
        await page.wait_for_function("!isLoud(1)")
        await page.keyboard.press("Escape")
        await expect(page.locator("#state")).to_have_text("interrupted")
        for side in "ab":
            await expect(page.locator(f"#{side}")).to_have_attribute("data-state", "interrupted")
        assert not errors


async def test_of_two_calls_one_is_heard(browser: Browser, address: str) -> None:
    """In calls the browser's own player is muted."""
    async with shown(browser, "about:blank") as (page, errors):
        await page.add_init_script(
            "window.Audio = class extends Audio { static all = []; "
            "constructor() { super(); window.Audio.all.push(this); } }"
        )
        await page.goto(address)
        await page.locator("input[value=call]").check()
        await compare(page, "Hello.")
        await expect(page.locator("#b")).to_have_attribute("data-state", "done")
        assert await page.evaluate("Audio.all.map((audio) => audio.muted)") == [False, False]
        await page.locator("input[name=hear][value=b]").check()
        assert await page.evaluate("Audio.all.map((audio) => audio.muted)") == [True, False]
        await page.locator("#compare").uncheck()
        assert await page.evaluate("Audio.all[0].muted") is False
        assert not errors


async def test_an_interruption_ends_the_comparison(page: Page) -> None:
    """What is interrupted in A is not begun in B."""
    await compare(page, LONG)
    await expect(page.locator("#a .heard")).to_contain_text("morning")
    await page.locator("#interrupt").click()
    await expect(page.locator("#speak")).to_be_enabled()
    await expect(page.locator("#a")).to_have_attribute("data-state", "interrupted")
    assert await page.locator("#b .heard").inner_text() == ""
    await expect(page.locator("#state")).to_have_text("interrupted")
