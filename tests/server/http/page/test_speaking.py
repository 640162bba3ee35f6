from __future__ import annotations

import asyncio
import re
import time
from pathlib import Path

import pytest
from fakes import FakeEngine, StereoFake
from playwright.async_api import Browser, Page, Route, expect
from web import served

from benchmarks.browser import shown
from moss_stream.audio import FRAME_S
from tests.test_slow_machine import Words

pytestmark = [pytest.mark.slow, pytest.mark.asyncio(loop_scope="module")]
ARTEFACTS = Path(__file__).parents[4] / "test-artefacts"
# Long enough that an interruption comes before its end, however slow the browser is.
TEXT = "The quick brown fox jumps over the lazy dog. " + "Good morning, how are you today? " * 4 + "Well?"
FULL = {"error": {"message": "No room is left."}}


async def sound_s(page: Page) -> float:
    """Return the seconds of sound that A has played."""
    return float((await page.locator("#a .sound").inner_text()).split()[0])


@pytest.mark.parametrize("transport", ["socket", "call"])
async def test_it_speaks_and_can_be_interrupted(page: Page, transport: str) -> None:
    """A text is typed and heard; an interruption silences it and shows which words were heard."""
    await page.locator(f"input[value={transport}]").check()
    await page.locator("#text").fill(TEXT)
    await page.locator("#speak").click()
    await expect(page.locator("#state")).to_have_text("speaking")
    await expect(page.locator("#a .heard")).to_contain_text("fox")
    await page.screenshot(path=ARTEFACTS / f"{transport}-speaking.png")
    await page.locator("#interrupt").click()
    await expect(page.locator("#state")).to_have_text("interrupted")
    heard, unheard = [await page.locator(part).inner_text() for part in ("#a .heard", "#a .given")]
    assert heard + unheard == TEXT and "quick" in heard and "Well" in unheard
    assert await sound_s(page) > 0.2
    await page.screenshot(path=ARTEFACTS / f"{transport}-interrupted.png")


async def test_text_arrives_as_from_a_language_model(page: Page) -> None:
    """Token by token it is spoken to its end, with fewer codebooks and another voice."""
    await page.locator("#text").fill("Good morning.")
    await page.locator("input[value=llm]").check()
    await page.locator("#rate").fill("50")
    await page.locator("#a .codebooks").fill("4")
    await page.locator("#a .voice").select_option("slt")
    await page.locator("#speak").click()
    await expect(page.locator("#state")).to_have_text("done")
    assert await page.locator("#a .heard").inner_text() == "Good morning."
    assert re.fullmatch(r"\d+ ms", await page.locator("#a .first").inner_text())
    assert int(await page.locator("#a .gaps").inner_text()) <= 3, "a busy machine may pause, not stutter"
    before = await sound_s(page)
    assert before > 0.2
    await page.locator("#speak").click()
    await expect(page.locator("#state")).to_have_text("done")
    assert await sound_s(page) > before, "the same connection speaks again"
    await page.screenshot(path=ARTEFACTS / "done.png")


async def test_it_can_be_interrupted_before_it_is_connected(page: Page) -> None:
    """Then nothing is said."""
    is_let = asyncio.Event()

    async def hold(route: Route) -> None:
        await is_let.wait()
        await route.continue_()

    await page.route("**/v1/models", hold)
    await page.locator("#speak").click()
    await expect(page.locator("#state")).to_have_text("connecting")
    await page.keyboard.press("Escape")
    is_let.set()
    await expect(page.locator("#state")).to_have_text("interrupted")
    await expect(page.locator("#speak")).to_be_enabled()
    assert await sound_s(page) == 0


async def test_a_server_that_cannot_be_reached_is_told_of(browser: Browser, address: str) -> None:
    """What was opened for it is closed again; the next try speaks."""
    async with shown(browser, "about:blank") as (page, _):
        await page.add_init_script(
            "window.open_ones = 0; window.AudioContext = class extends AudioContext {"
            " constructor(...given) { super(...given); window.open_ones += 1; }"
            " close() { window.open_ones -= 1; return super.close(); } };"
        )
        await page.goto(address)
        await page.locator("input[value=call]").check()
        await page.route("**/webrtc/offer", lambda route: route.fulfill(status=503, json=FULL))
        for _ in range(2):
            await page.locator("#speak").click()
            await expect(page.locator("#problem")).to_have_text("No room is left.")
            await expect(page.locator("#speak")).to_be_enabled()
        assert await page.evaluate("open_ones") == 0
        await page.unroute_all()
        await page.locator("#text").fill("Hello.")
        await page.locator("#speak").click()
        await expect(page.locator("#state")).to_have_text("done")
        await expect(page.locator("#problem")).to_be_hidden()


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


def slow(rtf: float) -> FakeEngine:
    """An engine that needs so long for its frames, and says so."""
    return Words(
        frames_per_segment=60,
        frame_costs_s={1: rtf * FRAME_S},
        on_step=lambda number: time.sleep(rtf * FRAME_S),
    )


async def test_a_slow_machine_is_heard_with_few_pauses(browser: Browser) -> None:
    """At RTF 1.3 the page collects before it plays, and pauses a few times, not after each of 60 frames."""
    async with served(slow(1.3)) as (client, _):
        async with shown(browser, str(client.base_url)) as (page, errors):
            await page.locator("#text").fill(
                "This takes about five seconds to be said, by whoever says it all."
            )
            await page.locator("#speak").click()
            await expect(page.locator("#state")).to_have_text("done")
            assert int(await page.locator("#a .gaps").inner_text()) <= 5
            assert int((await page.locator("#a .first").inner_text()).split()[0]) > 1000, "it has collected"
            assert await sound_s(page) > 2
            assert not errors


@pytest.mark.parametrize("transport", ["socket", "call"])
async def test_a_stereo_model_is_heard(browser: Browser, transport: str) -> None:
    """At its own rate, for as long as it speaks: three seconds at 48 kHz."""
    async with served(StereoFake(frames_per_segment=38)) as (client, _):
        async with shown(browser, str(client.base_url)) as (page, errors):
            await page.locator(f"input[value={transport}]").check()
            await page.locator("#text").fill("This takes three seconds.")
            await page.locator("#speak").click()
            await expect(page.locator("#state")).to_have_text("done")
            assert await sound_s(page) > 2
            assert not errors
