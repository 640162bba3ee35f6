"""Sounds and voices from a description, on a stand-in and on the golden model."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from fakes import AbleFake, FakeEngine, synthesizer_on
from golden_data import GOLDEN

from moss_stream import ConfigError, EngineOptions, StreamingSynthesizer, SynthesisOptions, Use
from moss_stream.text.message import Message


def messages(engine: FakeEngine) -> list[Message]:
    return [each for kind, each in engine.log if kind == "begin" and isinstance(each, Message)]


async def test_a_sound_is_streamed_like_speech() -> None:
    """Its description is no text, and its length is in the prompt."""
    engine = AbleFake()
    async with await synthesizer_on(engine) as synth:
        chunks = [chunk async for chunk in synth.sound("rain on a *tin* roof", seconds=1.0)]
    assert len(chunks) == 13 and chunks[-1].is_final
    (message,) = messages(engine)
    assert (message.text, message.ambient_sound, message.tokens) == ("", "rain on a tin roof", 12)


async def test_a_voice_is_made_up_and_can_be_used() -> None:
    """What was said in the described way is encoded as a recording would be; other models may use it."""
    engine = AbleFake()
    async with await synthesizer_on(engine) as synth:
        voice = await synth.design_voice("A calm, low voice", text="Good morning.", seed=3)
        await synth.say("Hello.", voice=voice)
    assert voice.description == "A calm, low voice" and voice.codes.shape == (12, 8)
    asked, spoken = messages(engine)
    assert (asked.instruction, asked.text) == ("A calm, low voice", "Good morning.")
    assert spoken.reference is not None and spoken.reference[0] is not None
    assert spoken.reference[0].shape == (12, 4) and spoken.instruction is None
    opened = [each for kind, each in engine.log if kind == "open" and isinstance(each, SynthesisOptions)]
    assert opened[0].seed == 3


async def test_what_a_model_was_not_trained_for_is_refused() -> None:
    """In a sentence, with the model that was."""
    async with await synthesizer_on(FakeEngine()) as synth:
        with pytest.raises(ConfigError, match="not for sound. Load MOSS-SoundEffect"):
            synth.sound("rain")
        with pytest.raises(ConfigError, match="not for voice design. Load MOSS-VoiceGenerator"):
            await synth.design_voice("calm")
    engine = AbleFake()
    async with await synthesizer_on(engine) as synth:
        synth.info = replace(synth.info, uses=frozenset({Use.SOUND}))
        for speak in (synth.stream, synth.conversation):
            with pytest.raises(ConfigError, match="trained for sound, not for speech"):
                speak()


@pytest.mark.parametrize("seconds", [0.0, -1.0, 121.0, float("nan"), float("inf")])
async def test_lengths_of_sounds(seconds: float) -> None:
    """A frame to two minutes."""
    async with await synthesizer_on(AbleFake()) as synth:
        with pytest.raises(ConfigError, match="0.08 to 120 s"):
            synth.sound("rain", seconds=seconds)


@pytest.mark.parametrize("description", ["", "  ", "x" * 2001, None])
async def test_descriptions(description: Any) -> None:
    """Some words, not a book."""
    async with await synthesizer_on(AbleFake()) as synth:
        with pytest.raises(ConfigError, match="description"):
            synth.sound(description)
        with pytest.raises(ConfigError, match="description"):
            await synth.design_voice(description)


async def test_on_the_golden_model() -> None:
    """All three kinds of order on real prompts, rows and codec."""
    options = EngineOptions(max_context=512)
    async with await StreamingSynthesizer.load(
        GOLDEN / "delay", codec=GOLDEN / "cat", device="cpu", dtype="float32", options=options
    ) as synth:
        assert synth.info.uses == frozenset(Use) and synth.info.is_delayed
        sound = [chunk async for chunk in synth.sound("rain", seconds=0.8)]
        assert sum(bool(chunk.pcm) for chunk in sound) > 0
        lines = [chunk async for chunk in synth.dialogue("[S1] Yes. [S2] No.")]
        assert {chunk.speaker for chunk in lines if chunk.pcm} <= {"S1", "S2"}
