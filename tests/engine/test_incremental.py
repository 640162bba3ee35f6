"""A model that reads while it speaks, in the loop, on the virtual clock."""

from __future__ import annotations

import random

import pytest
from fakes import IncrementalFake
from virtual_time import Lab, Listener, give

from moss_stream.errors import NoAudio, TextError
from moss_stream.text.dialogue import Dialogue
from moss_stream.text.message import Heard, Message, Said
from moss_stream.text.turn import TurnState

TEXT = (
    "The next train to the coast leaves at noon from platform nine, and it is the last one today. If you "
    "miss it there is a bus that takes two hours longer, which I would not recommend to anybody at all."
)


def lab(**options: object) -> Lab:
    return Lab(IncrementalFake(**options))  # type: ignore[arg-type]


def deltas(text: str = TEXT) -> list[str]:
    """Words with the space before them, as language models write them."""
    first, *rest = text.split(" ")
    return [first, *(f" {word}" for word in rest)]


async def write(it: Lab, listener: Listener, delta: str) -> None:
    give(listener.job, delta)
    await it.tick()


async def test_the_first_frame_leaves_after_twelve_words() -> None:
    """The twelfth is whole when the next one begins; nobody waits for the end of a clause."""
    it = lab()
    listener = it.speak()
    await it.run(0.2)
    for count, delta in enumerate(deltas()[:13], start=1):
        give(listener.job, delta)
        await it.run(0.1)
        assert bool(listener.chunks) == (count == 13)


async def test_a_short_text_is_spoken_when_it_ends() -> None:
    """Fewer words than the model reads in advance."""
    it = lab()
    listener = it.speak("Yes, of course.")
    await it.run(5, lambda: listener.is_done)
    assert listener.error is None and len(listener.chunks) == 1 + 12
    assert it.engine.spoken(0) == "Yes, of course."  # type: ignore[attr-defined]


async def test_the_prompt_is_run_while_the_language_model_thinks() -> None:
    """What is left when text comes is the text itself."""
    it = lab()
    it.speak()
    await it.run(0.5)
    assert [kind for kind, _ in it.engine.log] == ["open", "begin"]
    assert it.loop._active[0].turn.state is TurnState.STARVED


@pytest.mark.parametrize("seed", range(12))
async def test_a_language_model_that_stalls(seed: int) -> None:
    """0.1 to 5 s at random places: what is spoken is what was written, in order, nothing twice."""
    chance = random.Random(seed)
    it = lab(max_streams=2)
    listener = it.speak()
    for delta in deltas():
        give(listener.job, delta)
        pause_s = chance.choice([0.02, 0.05, 0.1, chance.uniform(0.1, 5.0)])
        await it.run(pause_s)
    listener.job.end()
    await it.run(60, lambda: listener.is_done)
    assert listener.error is None and it.engine.spoken(0) == TEXT  # type: ignore[attr-defined]
    spans = [(chunk.char_start, chunk.char_end) for chunk in listener.chunks]
    assert spans[-1][1] == len(TEXT)
    assert all(a[1] == b[0] for a, b in zip(spans, spans[1:], strict=False))


async def test_who_is_starved_costs_others_nothing() -> None:
    """A stream without text is not stepped, and another one is spoken as if it were alone."""
    times = []
    for others in (0, 3):
        it = lab(max_streams=4)
        waiting = [it.speak() for _ in range(others)]
        for each in waiting:
            give(each.job, "One two three four five six seven eight nine ten eleven twelve thirteen")
        await it.run(0.3)
        assert all(len(each.chunks) == 1 for each in waiting)
        began_s, steps = it.now_s, it.engine.num_steps
        listener = it.speak(TEXT)
        await it.run(0.3)
        assert {len(batch) for batch in it.engine.batches[steps:]} == {1}
        times.append((it.engine.num_steps - steps, round(it.now_s - began_s, 1), listener.starved_s))
    assert times[0] == times[1]


async def test_a_reply_that_pauses_is_spoken_to_its_end() -> None:
    """Six seconds for a tool call; then it goes on, in the same context."""
    it = lab()
    listener = it.speak()
    for delta in deltas("Let me check that for you!"):
        await write(it, listener, delta)
    await it.run(6.0)
    assert it.engine.spoken(0) == "Let me check that for you!"  # type: ignore[attr-defined]
    assert listener.job.turn.state is TurnState.WAITING
    assert len(listener.chunks) == 4 * 6
    give(listener.job, " It leaves at noon.")
    listener.job.end()
    await it.run(5, lambda: listener.is_done)
    assert it.engine.spoken(0) == "Let me check that for you! It leaves at noon."  # type: ignore[attr-defined]
    message = it.engine.log[-1][1]
    assert isinstance(message, Message)
    (said,) = message.dialogue
    assert isinstance(said, Said) and "".join(said.pieces) == "Let me check that for you!"


async def test_a_flush_is_over_when_its_last_frame_is_out() -> None:
    """Its mark comes behind its own audio; one of nothing comes at once."""
    it = lab()
    listener = it.speak()
    await it.run(0.2)
    listener.job.flush()
    await it.run(0.2)
    assert [chunk.is_flush for chunk in listener.chunks] == [True]
    give(listener.job, "One moment please. ")
    listener.job.flush()
    give(listener.job, "And then more.")
    await it.run(3.0)
    marks = [chunk.is_flush for chunk in listener.chunks]
    assert marks == [True] + [False] * 12 + [True] + [False] * 12
    listener.job.end()
    await it.run(3.0, lambda: listener.is_done)
    assert it.engine.spoken(0).strip() == "One moment please. And then more."  # type: ignore[attr-defined]


async def test_a_text_longer_than_the_context() -> None:
    """It is spoken in several contexts, between sentences, and nothing is lost."""
    it = lab(room=150)
    text = "This is a sentence of average length. " * 12
    listener = it.speak(text.strip())
    await it.run(120, lambda: listener.is_done)
    assert listener.error is None and it.engine.spoken(0) == text.strip()  # type: ignore[attr-defined]
    parts = [part for _, part in it.engine.said]  # type: ignore[attr-defined]
    assert len(parts) > 2 and all(part.endswith(".") for part in parts)


async def test_a_model_that_ends_early_reads_the_rest_anew() -> None:
    """Nothing of the text is lost."""
    it = lab(ends_early=5)
    listener = it.speak(TEXT)
    await it.run(60, lambda: listener.is_done)
    assert listener.error is None and it.engine.spoken(0) == TEXT  # type: ignore[attr-defined]


async def test_nothing_to_say_is_an_error_and_silence_is_one() -> None:
    """As with other models."""
    it = lab()
    listener = it.speak(" … ")
    await it.run(5, lambda: listener.is_done)
    assert isinstance(listener.error, TextError)
    it = lab(ends_early=0)
    listener = it.speak("Hello there.")
    await it.run(5, lambda: listener.is_done)
    assert isinstance(listener.error, NoAudio)


async def test_a_listener_who_leaves_while_the_model_waits() -> None:
    """The slot is free at once."""
    it = lab(max_streams=1)
    listener = it.speak()
    await it.run(0.2)
    listener.job.channel.close()
    other = it.speak("Hello there.")
    await it.run(5, lambda: other.is_done)
    assert other.error is None and listener.job.turn.state is TurnState.CANCELLED


async def test_a_conversation_remembers_what_was_heard() -> None:
    """To the frame; the other side too."""
    it, dialogue = lab(), Dialogue()
    dialogue.heard("When does the train leave?")
    first = it.speak(TEXT, dialogue=dialogue)
    await it.run(1.0)
    first.job.channel.close()
    await it.tick()
    first.job.turn.script.keep_heard(0.4)
    dialogue.heard("Thanks!")
    it.speak("You are welcome.", dialogue=dialogue)
    await it.run(0.5)
    message = it.engine.log[-1][1]
    assert isinstance(message, Message)
    question, said, thanks = message.dialogue
    assert question == Heard("When does the train leave?") and thanks == Heard("Thanks!")
    assert isinstance(said, Said) and len(said.codes) == 5 and "".join(said.pieces).startswith("The next")


async def test_a_conversation_gets_its_slot_again() -> None:
    """Another stream spares it as long as there is a free one."""
    it, dialogue = lab(max_streams=3), Dialogue()
    for text, slot in (("Hello there.", 0), ("And again.", 0)):
        listener = it.speak(text, dialogue=dialogue)
        other = it.speak("Somebody else.")
        await it.run(5, lambda listener=listener, other=other: listener.is_done and other.is_done)  # type: ignore[misc]
        assert (listener.job.slot, other.job.slot) == (slot, 1)
