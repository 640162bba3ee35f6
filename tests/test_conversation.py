from __future__ import annotations

import pytest
from fakes import NUM_CODEBOOKS, FakeEngine

from moss_stream import StreamError, StreamingSynthesizer, SynthesisOptions, Voice

Pair = tuple[StreamingSynthesizer, FakeEngine]


async def test_a_turn_goes_on_as_the_last_one_was_spoken(fake: Pair) -> None:
    """Text and audio of the turns before stand before the next one; the voice and the options hold."""
    import numpy as np

    synth, engine = fake
    voice = Voice(np.full((5, NUM_CODEBOOKS), 9), "a voice")
    talk = synth.conversation(voice=voice, options=SynthesisOptions(language="English"))
    for text in ("How are you?", "I am well."):
        async for _ in talk.stream(text):
            pass
    assert engine.texts() == ["How are you?", "How are you? I am well."]
    assert engine.prefixes[0] is None and engine.prefixes[1] is not None and len(engine.prefixes[1]) == 3
    for kind, message in engine.log:
        if kind == "begin":
            assert message.reference[0] is voice.codes and message.language == "English"  # type: ignore[attr-defined]


async def test_an_interrupted_turn_is_remembered_as_far_as_it_was_heard(fake: Pair) -> None:
    """Sentences that were heard whole stay; the one that was cut off is forgotten."""
    synth, engine = fake
    talk = synth.conversation()
    async with talk.stream() as first:
        await first.push("The first sentence is heard. ")
        await first.flush()
        chunks = aiter(first)
        for _ in range(3):
            await anext(chunks)
        engine.frames_per_segment = 1000
        await first.push("The second one is not heard to its end.")
        await first.end()
        await anext(chunks)
        spoken = await first.cancel()
    assert spoken.text.startswith("The first sentence is heard.")
    engine.frames_per_segment = 2
    async for _ in talk.stream("And the next turn."):
        pass
    assert engine.texts()[-1] == "The first sentence is heard. And the next turn."


async def test_a_conversation_has_one_turn_at_a_time(fake: Pair) -> None:
    """A turn that is not over must be cancelled or listened to first."""
    synth, _ = fake
    talk = synth.conversation()
    first = talk.stream("Hello.")
    with pytest.raises(StreamError, match="Cancel it"):
        talk.stream("Too early.")
    await first.cancel()
    assert len([chunk async for chunk in talk.stream("Now.")]) == 4
