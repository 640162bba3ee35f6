from __future__ import annotations

import random

import numpy as np
import pytest
from playwright.async_api import Browser
from web import served

from benchmarks.browser import shown
from moss_stream import AudioChunk, Rebuffer

pytestmark = [pytest.mark.slow, pytest.mark.asyncio(loop_scope="module")]

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
