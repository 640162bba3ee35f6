"""From the first delta of a language model to the first PCM, with models that take no time."""

from __future__ import annotations

import pytest
from fakes import FakeEngine, IncrementalFake
from virtual_time import Lab, give

TEXTS = {
    "an early clause": "Of course, I can look that up for you: the next train to the coast leaves at noon "
    "from platform nine, and it is the last one today.",
    "no early clause": "The next train to the coast that stops at every small station on the way leaves at "
    "noon from platform nine and it is the last one today.",
}
TICK_S = 0.005


async def first_ms(engine: FakeEngine, text: str, tokens_per_s: float) -> int:
    """Return after how many ms of virtual time the first chunk is there; a token is a word."""
    it = Lab(engine, step_s=0.0, prefill_s=0.0)
    listener = it.speak()
    for _ in range(20):
        await it.tick()
    words = text.split(" ")
    deltas = [words[0], *(f" {word}" for word in words[1:])]
    began_s = it.now_s
    while not listener.chunks:
        while deltas and it.now_s >= began_s + (len(words) - len(deltas)) / tokens_per_s - 1e-9:
            give(listener.job, deltas.pop(0))
            if not deltas:
                listener.job.end()
        for _ in range(30):
            await it.tick()
        it.now_s += TICK_S
    return round((it.now_s - TICK_S - began_s) * 1000)


@pytest.mark.parametrize("tokens_per_s", [5, 15, 50])
@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS)
async def test_a_model_that_reads_while_it_speaks_waits_for_tokens_alone(
    text: str, tokens_per_s: int
) -> None:
    """Twelve, and the beginning of the thirteenth: then the twelfth is whole."""
    found = await first_ms(IncrementalFake(), text, tokens_per_s)
    assert found == pytest.approx(12 / tokens_per_s * 1000, abs=1000 * TICK_S + 1)


@pytest.mark.parametrize(
    ("text", "tokens_per_s", "wanted_ms"),
    [
        ("an early clause", 5, 400),
        ("an early clause", 15, 135),
        ("an early clause", 50, 40),
        ("no early clause", 5, 705),
        ("no early clause", 15, 705),
        ("no early clause", 50, 540),
    ],
)
async def test_a_model_that_reads_first_waits_for_a_clause(
    text: str, tokens_per_s: int, wanted_ms: int
) -> None:
    """Or for its patience to end: the README compares the two."""
    found = await first_ms(FakeEngine(), TEXTS[text], tokens_per_s)
    assert found == pytest.approx(wanted_ms, abs=1000 * TICK_S + 1)
