"""A language model that pauses, or opens what might be a mark, does not keep a listener waiting."""

from __future__ import annotations

import re

import pytest
from fakes import FakeEngine
from virtual_time import Lab, give

MOST_S = 1.0
"""A listener who has nothing to hear waits no longer for text that was given."""
REPLIES = [
    "Let me check that for you!", "Hello!", "Hi", "Yes!", "Your total is $25.", "The answer is 42.",
    "We meet at 10:30.", "I found 3 flights!", "It is **done!**", "See the docs (here)!",
    "我来看看", "«Oui!»",
]  # fmt: skip
OPENINGS = [
    "The half-open interval [0, 1) holds zero but not one and so on for every other one of them",
    "If a<b and b<c then we may say that a is less than c without any more ado",
    "See [1](the first of the papers that I named above for all of the details",
    "**", "![", "http", "`", "|", "&", "<", "$", "\\(", "See ![a picture", "Ask http and then www for it",
    "Use `ls and then more of it", "Either a|b or c|d it is", "R&D and Q&A and AT&T are three",
    "It costs $5 and $6 for all of us", "Say /one and two or three of them to me", "Is x < y or y <= x now",
    "I think that it may well depend on what you want to do with the thing in the end",
    "他说 [这里 的 东西", "- one\n- two\n- three", "| a | b |\n|---|---|\n| 1 | 2 |",
    "Set <b and i to a <c d", "x" * 120, "Key sk-" + "a1b2" * 20,
]  # fmt: skip


def tokens(text: str) -> list[str]:
    """About what a language model writes at a time."""
    return re.findall(r"\s?\w{1,4}|\s?[^\w\s]|\s+", text)


def spoken(lab: Lab) -> str:
    texts = lab.engine.texts()
    return texts[-1] if texts else ""


def num_words(text: str) -> int:
    return sum(character.isalnum() for character in text)


async def wait_after(text: str, rate: float, at: int) -> float:
    """The longest that a listener waits for a text of which `at` tokens are given, and no more."""
    lab = Lab(FakeEngine(frames_per_segment=6))
    listener = lab.speak()
    longest_s = given_s = waited_s = 0.0
    for token in [*tokens(text)[:at], ""]:
        if token:
            give(listener.job, token)
            longest_s = max(longest_s, waited_s)
            given_s, end_s = lab.now_s, lab.now_s + 1 / rate
        else:
            end_s = lab.now_s + 4.0
        while lab.now_s < end_s:
            await lab.run(min(0.02, end_s - lab.now_s))
            all_is_spoken = num_words(spoken(lab)) >= num_words("".join(tokens(text)[:at]))
            if listener.lead_s > 0 or all_is_spoken:
                given_s, waited_s = lab.now_s, 0.0
            elif not token:
                waited_s = lab.now_s - given_s
                longest_s = max(longest_s, waited_s)
    return longest_s


@pytest.mark.parametrize("text", REPLIES)
@pytest.mark.parametrize("rate", [20, 5])
async def test_a_reply_that_pauses_is_spoken_to_its_end(text: str, rate: float) -> None:
    """Nothing is ended or flushed; a second after the last token everything is on its way."""
    lab = Lab(FakeEngine(frames_per_segment=3))
    listener = lab.speak()
    for token in tokens(text):
        give(listener.job, token)
        await lab.run(1 / rate)
    await lab.run(2)
    wanted = re.sub(r"\*", "", text)
    assert spoken(lab) == wanted


@pytest.mark.parametrize("text", OPENINGS)
@pytest.mark.parametrize("rate", [20, 5])
async def test_no_pause_keeps_a_listener_waiting(text: str, rate: float) -> None:
    """Wherever the text stops: what was given is spoken within a second of silence."""
    for at in range(1, len(tokens(text)) + 1):
        assert await wait_after(text, rate, at) <= MOST_S, tokens(text)[:at]


@pytest.mark.parametrize("text", [*OPENINGS, "a </think not closed and more of it"])
@pytest.mark.parametrize("rate", [20, 5])
async def test_no_opening_holds_up_what_follows(text: str, rate: float) -> None:
    """While text keeps coming: words that were whole a second ago are on their way, or the last are heard."""
    lab = Lab(FakeEngine(frames_per_segment=6))
    listener = lab.speak()
    given: list[tuple[float, int]] = []
    written, dry_s = "", lab.now_s
    for token in tokens(text + " and this goes on for some words more"):
        whole = written if token[:1].isspace() else ""
        written += token
        give(listener.job, token)
        if whole:
            given.append((lab.now_s, num_words(whole)))
        end_s = lab.now_s + 1 / rate
        while lab.now_s < end_s:
            await lab.run(min(0.02, end_s - lab.now_s))
            dry_s = lab.now_s if listener.lead_s > 0 else dry_s
            due = [count for at_s, count in given if at_s < lab.now_s - MOST_S]
            if lab.now_s - dry_s > MOST_S and due:
                assert num_words(spoken(lab)) >= due[-1], written


async def test_what_comes_after_a_pause_goes_on() -> None:
    """Nothing is spoken twice or lost, wherever the text paused."""
    text = "Let me see [0, 1) and **bold** words, a<b too! It is 3.14 in all, he said."
    for at in range(1, len(tokens(text))):
        lab = Lab(FakeEngine(frames_per_segment=3))
        listener = lab.speak()
        for index, token in enumerate(tokens(text)):
            give(listener.job, token)
            await lab.run(3 if index + 1 == at else 0.05)
        listener.job.end()
        await lab.run(30, lambda listener=listener: listener.is_done)  # type: ignore[misc]
        # A full stop that comes after its sentence was spoken has nothing to say.
        assert spoken(lab).replace("*", "").rstrip(".") == text.replace("*", "").rstrip("."), at
        assert listener.chunks[-1].char_end == len(text)
