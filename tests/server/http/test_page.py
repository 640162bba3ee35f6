from __future__ import annotations

import random
import re
import time
from collections.abc import AsyncIterator
from pathlib import Path

import numpy as np
import pytest
import pytest_asyncio
from fakes import FakeEngine, StereoFake
from limits import HANG_S
from playwright.async_api import Browser, Page, expect
from web import running, served

from benchmarks.browser import CHROMIUM, launched, shown
from moss_stream import AudioChunk, Rebuffer, StreamingSynthesizer
from moss_stream.audio import FRAME_S
from tests.test_slow_machine import Words

pytestmark = pytest.mark.asyncio(loop_scope="module")
expect.set_options(timeout=1000 * HANG_S)
needs_chromium = pytest.mark.skipif(CHROMIUM is None, reason="not installed: chromium")
ARTEFACTS = Path(__file__).parents[3] / "test-artefacts"
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
    """Token by token it is spoken to its end, with fewer codebooks and another voice."""
    await page.locator("#text").fill("Good morning.")
    await page.locator("input[value=llm]").check()
    await page.locator("#rate").fill("50")
    await page.locator("#codebooks").fill("4")
    await page.locator("#voice").select_option("slt")
    await page.locator("#speak").click()
    await expect(page.locator("#state")).to_have_text("done")
    assert await page.locator("#heard").inner_text() == "Good morning."
    assert re.fullmatch(r"\d+ ms", await page.locator("#first").inner_text())
    assert int(await page.locator("#gaps").inner_text()) <= 3, "a busy machine may pause, not stutter"
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


def slow(rtf: float) -> FakeEngine:
    """An engine that needs so long for its frames, and says so."""
    return Words(
        frames_per_segment=60,
        frame_costs_s={1: rtf * FRAME_S},
        on_step=lambda number: time.sleep(rtf * FRAME_S),
    )


@pytest.mark.slow
@needs_chromium
async def test_a_slow_machine_is_heard_with_few_pauses(browser: Browser) -> None:
    """At RTF 1.3 the page collects before it plays, and pauses a few times, not after each of 60 frames."""
    async with served(slow(1.3)) as (client, _):
        async with shown(browser, str(client.base_url)) as (page, errors):
            await page.locator("#text").fill(
                "This takes about five seconds to be said, by whoever says it all."
            )
            await page.locator("#speak").click()
            await expect(page.locator("#state")).to_have_text("done")
            assert int(await page.locator("#gaps").inner_text()) <= 5
            assert int((await page.locator("#first").inner_text()).split()[0]) > 1000, "it has collected"
            assert await sounding(page) > 50_000
            assert not errors


REPLAY = """async (moves) => {
  const { Rebuffer, places } = await import("/page/rebuffer.js");
  const rebuffer = new Rebuffer(1000);
  const does = {
    expect: (rtf, left, samples, begins) => {
      rebuffer.expect(rtf, left);
      return rtf > 1 ? places(samples, 1000, begins) : [];
    },
    playable: (...given) => [rebuffer.playable(...given), rebuffer.underruns],
    end: () => (rebuffer.end(), null),
    reset: () => (rebuffer.reset(), null),
  };
  return moves.map(([name, ...given]) => does[name](...given));
}"""


@pytest.mark.slow
@needs_chromium
async def test_the_page_decides_as_the_package_does(browser: Browser) -> None:
    """Whatever comes, in JavaScript a player pauses and goes on where it does in Python."""
    choose, rebuffer = random.Random(7), Rebuffer(1000)
    moves: list[list[object]] = []
    wanted: list[object] = []
    queued = 0
    for _ in range(3000):
        kind = choose.choices(["expect", "playable", "end", "reset"], [14, 84, 1, 1])[0]
        given: list[object] = []
        if kind == "expect":
            peaks = choose.choices([0, 100, 399, 400, 5000, -9000], k=8)
            samples = np.repeat(np.array(peaks, dtype="<i2"), 10)
            rtf, left_s, begins = (
                choose.choice([0.5, 1.1, 1.5, 3.0]),
                choose.random() * 6,
                choose.random() < 0.3,
            )
            given = [rtf, left_s, samples.tolist(), begins]
            wanted.append(
                rebuffer.expect(
                    AudioChunk(
                        samples.tobytes(), 1000, 0, 0.0, 0.08, begins_word=begins, rtf=rtf, left_s=left_s
                    )
                )
            )
            queued += 80
        elif kind == "playable":
            place = choose.choice([None, 0, 3, 10, 40])
            given = [queued, 20, place]
            played = rebuffer.playable(queued, 20, place)
            wanted.append([played, rebuffer.underruns])
            queued -= played
        else:
            getattr(rebuffer, kind)()
            wanted.append(None)
        moves.append([kind, *given])
    assert rebuffer.underruns > 20
    async with served() as (client, _), shown(browser, str(client.base_url)) as (page, _):
        assert await page.evaluate(REPLAY, moves) == wanted


@pytest.mark.slow
@needs_chromium
@pytest.mark.parametrize("transport", ["socket", "call"])
async def test_a_stereo_model_is_heard(browser: Browser, transport: str) -> None:
    """At its own rate, for as long as it speaks: three seconds at 48 kHz."""
    async with served(StereoFake(frames_per_segment=38)) as (client, _):
        async with shown(browser, str(client.base_url)) as (page, errors):
            await page.locator(f"input[value={transport}]").check()
            await page.locator("#text").fill("This takes three seconds.")
            await page.locator("#speak").click()
            await expect(page.locator("#state")).to_have_text("done")
            assert await sounding(page) > 100_000
            assert not errors
