from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Page
from web import served

from benchmarks.browser import shown

pytestmark = [pytest.mark.slow, pytest.mark.asyncio(loop_scope="module")]

# Two timelines of 300 pixels, and what the columns of one of them show along a line.
SET_UP = """async () => {
  const { Scale, Timeline } = await import("/page/timeline.js");
  window.scale = new Scale();
  [window.one, window.other] = [0, 1].map(() => {
    const canvas = document.createElement("canvas");
    canvas.style.cssText = "width: 300px; height: 116px; --side: #0f0; --tint: #00f; --bad: #f00;" +
      "--line: #777; --soft: #777; --ink: #000";
    document.body.append(canvas);
    return new Timeline(canvas, scale);
  });
  [one, other].forEach((timeline) => timeline.fit());
  window.row = (timeline, y) => {
    const { data } = timeline.canvas.getContext("2d").getImageData(0, y, 300, 1);
    return Array.from({ length: 100 }, (_, column) => {
      const [red, green, blue] = data.slice(12 * column, 12 * column + 3);
      return red === 255 ? "gap" : green === 255 ? "sound" : blue === 255 ? "lead" : "";
    });
  };
}"""
MIDDLE = 31
"""The line of the waveform around which it is drawn, of 62 % of 100 pixels."""
BOTTOM = 98
"""A line of what is in hand, just above the axis."""


@pytest_asyncio.fixture(loop_scope="module")
async def page(browser: Browser) -> AsyncIterator[Page]:
    """A page with two timelines."""
    async with served() as (client, _), shown(browser, str(client.base_url)) as (page, errors):
        await page.evaluate(SET_UP)
        yield page
        assert not errors


async def add(page: Page, peaks: list[float], end_s: float, lead_s: float = 0.0, gaps: int = 0) -> None:
    """Tell the first timeline of what was heard, in windows of 50 ms."""
    heard = {"peaks": peaks, "windowS": 0.05, "endS": end_s}
    await page.evaluate("([heard, lead, gaps]) => one.add(heard, lead, gaps)", [heard, lead_s, gaps])


async def row(page: Page, y: int) -> list[str]:
    """Return what 100 columns of six seconds show."""
    found: list[str] = await page.evaluate("(y) => row(one, y)", y)
    return found


async def test_sound_stands_where_it_was_heard(page: Page) -> None:
    """Three seconds of silence, and one of sound."""
    await add(page, [0.0] * 60, 3.0)
    await add(page, [0.9] * 20, 4.0)
    loud = [column for column, seen in enumerate(await row(page, MIDDLE - 15)) if seen == "sound"]
    assert loud == list(range(50, 67))


async def test_a_gap_is_red_until_sound_comes_again(page: Page) -> None:
    """From the report that counts it."""
    await add(page, [0.9] * 20, 1.0)
    await add(page, [0.0] * 20, 2.0, gaps=1)
    await add(page, [0.9] * 20, 3.0, gaps=1)
    seen = await row(page, MIDDLE)
    assert [column for column, each in enumerate(seen) if each == "gap"] == list(range(17, 34))
    assert set(seen[34:50]) == {"sound"}


async def test_what_is_in_hand_is_drawn_against_the_most_of_it(page: Page) -> None:
    """Nothing where it has run out."""
    await add(page, [0.9] * 20, 1.0, lead_s=2.0)
    await add(page, [0.9] * 20, 2.0, lead_s=0.0)
    seen = await row(page, BOTTOM)
    assert set(seen[:16]) == {"lead"} and set(seen[18:]) == {""}


async def test_both_show_the_same_seconds(page: Page) -> None:
    """The scale grows with the longer one, and begins again with the next utterance."""
    await add(page, [0.9] * 20, 5.9)
    assert await page.evaluate("scale.seconds") == 6
    await add(page, [0.9] * 20, 7.0)
    assert await page.evaluate("scale.seconds") == 7.5
    assert await page.evaluate("other.scale === one.scale")
    await page.evaluate("scale.reset()")
    assert await page.evaluate("scale.seconds") == 6


async def test_an_hour_takes_no_more_bars_than_two_minutes(page: Page) -> None:
    """They grow longer, and a short loud moment is still seen."""
    for minute in range(60):
        await add(page, [0.9 if minute == 30 else 0.1] + [0.1] * 1199, 60.0 * (minute + 1))
    bars, bar_s, loudest = await page.evaluate(
        "[one.bars.length, one.barS, one.bars.findIndex((bar) => bar.peak > 0.5) * one.barS]"
    )
    assert 1200 <= bars <= 2400 and bars * bar_s == pytest.approx(3600, abs=2 * bar_s)
    assert abs(loudest - 1800) <= bar_s
