from __future__ import annotations

import asyncio
import math
import threading
from collections.abc import AsyncIterator
from pathlib import Path

import numpy as np
import pytest
from fakes import FakeEngine, StereoFake, is_silent, is_tone, synthesizer_on
from golden_data import GOLDEN

from moss_stream import (
    Audio,
    AudioError,
    ConfigError,
    DeviceFailed,
    EngineOptions,
    Lexicon,
    ModelNotFound,
    StreamingSynthesizer,
    SynthesisOptions,
    SynthesizerClosed,
    TextError,
    UnsupportedModel,
    Voice,
)

Pair = tuple[StreamingSynthesizer, FakeEngine]


@pytest.fixture
async def golden() -> AsyncIterator[StreamingSynthesizer]:
    """The golden checkpoint, loaded as a user would."""
    options = EngineOptions(text_head="full")
    async with await StreamingSynthesizer.load(
        GOLDEN / "local", codec=GOLDEN / "cat", device="cpu", dtype="float32", options=options
    ) as synth:
        yield synth


def tone(seconds: float) -> Audio:
    t = np.arange(int(seconds * 24_000)) / 24_000
    return Audio((np.sin(2 * math.pi * 220 * t) * 8000).astype(np.int16))


async def test_a_real_model_speaks(golden: StreamingSynthesizer) -> None:
    """Loaded from a folder, it turns text into frames of 1,920 samples and a recording."""
    chunks = [chunk async for chunk in golden.stream("We stand on the threshold of the AI era.")]
    assert len(chunks) > 3 and all(len(chunk.samples) == 1920 for chunk in chunks[:-1])
    audio = await golden.say("We stand on the threshold of the AI era.")
    np.testing.assert_array_equal(audio.samples, np.concatenate([chunk.samples for chunk in chunks]))
    assert np.abs(audio.samples).max() > 100


async def test_a_seed_says_it_the_same_way_whatever_was_said_before(golden: StreamingSynthesizer) -> None:
    """The same text, options and seed give the same samples, after other streams and cancels too."""
    options = SynthesisOptions(seed=11)
    first = await golden.say("The same words. And the second sentence of them.", options=options)
    async for _ in golden.stream("Something else entirely, interrupted.", options=SynthesisOptions(n_vq=2)):
        break
    again = await golden.say("The same words. And the second sentence of them.", options=options)
    np.testing.assert_array_equal(first.samples, again.samples)
    other = await golden.say(
        "The same words. And the second sentence of them.", options=options.replace(seed=12)
    )
    assert first.samples.shape != other.samples.shape or (first.samples != other.samples).any()


async def test_speaking_with_a_recorded_voice(golden: StreamingSynthesizer, tmp_path: Path) -> None:
    """A recording, its file and the encoded voice are the same voice, and not the same as none."""
    await asyncio.to_thread(tone(2.0).save, tmp_path / "voice.wav")
    voice = await golden.encode_voice(tmp_path / "voice.wav")
    spoken = [
        await golden.say("Hello there, how are you?", voice=each)
        for each in (voice, tmp_path / "voice.wav", tone(2.0), None)
    ]
    assert voice.codes.shape == (25, 8)
    np.testing.assert_array_equal(spoken[0].samples, spoken[1].samples)
    np.testing.assert_array_equal(spoken[0].samples, spoken[2].samples)
    assert not np.array_equal(spoken[0].samples, spoken[3].samples)


async def test_a_long_text_in_a_small_context_is_an_error_and_the_next_stream_works() -> None:
    """Too much for the context is said so; the synthesizer goes on."""
    async with await StreamingSynthesizer.load(
        GOLDEN / "local",
        codec=GOLDEN / "cat",
        dtype="float32",
        options=EngineOptions(max_context=256, text_head="full"),
    ) as synth:
        with pytest.raises(TextError, match="max_context"):
            await synth.say("word " * 300)
        assert (await synth.say("Hello there, you.")).duration_s > 0


@pytest.mark.parametrize("text", ["", " \n ", "...", [], ["", " "]])
async def test_nothing_to_say_is_an_error(fake: Pair, text: str | list[str]) -> None:
    """Empty and wordless texts raise TextError."""
    with pytest.raises(TextError, match="nothing to say"):
        await fake[0].say(text)


async def test_more_codebooks_than_the_model_has_are_refused(fake: Pair) -> None:
    """n_vq=33 names what the model has."""
    with pytest.raises(ConfigError, match="33.*has 4 codebooks"):
        fake[0].stream("Hello.", options=SynthesisOptions(n_vq=33))


async def test_a_voice_of_another_model_is_refused(fake: Pair) -> None:
    """A voice that another model encoded says so, instead of failing somewhere inside."""
    with pytest.raises(AudioError, match="16 codebooks, this model 4"):
        fake[0].stream("Hello.", voice=Voice(np.zeros((5, 16), dtype=np.int64), "key"))


@pytest.mark.parametrize("where", ["say", "encode"])
async def test_a_reference_that_cannot_be_used_ends_its_own_stream_only(fake: Pair, where: str) -> None:
    """A bad recording is an AudioError, whether encoded first or given to a stream."""
    synth, engine = fake
    with pytest.raises(AudioError, match="no file"):
        if where == "say":
            await synth.say("Hello.", voice="nowhere.wav")
        else:
            await synth.encode_voice("nowhere.wav")
    assert engine.texts() == []
    assert (await synth.say("Hello.")).duration_s == pytest.approx(0.24)


async def test_after_a_failure_of_the_device_one_loads_again() -> None:
    """Every stream gets the same typed error, closing works, and a new synthesizer speaks."""
    broken = await synthesizer_on(FakeEngine(fail_at=1))
    for _ in range(2):
        with pytest.raises(DeviceFailed, match="load again"):
            await broken.say("Hello.")
    await broken.close()
    async with await synthesizer_on(FakeEngine()) as synth:
        assert len((await synth.say("Hello.")).samples) == 3 * 1920


async def test_a_closed_synthesizer_says_so() -> None:
    """Everything after close() is SynthesizerClosed, streams that were running included."""
    synth = await synthesizer_on(FakeEngine(frames_per_segment=10_000))
    iterator = aiter(synth.stream("A long sentence."))
    await anext(iterator)
    await synth.close()
    await synth.close()
    with pytest.raises(SynthesizerClosed):
        async for _ in iterator:
            pass
    with pytest.raises(SynthesizerClosed, match="load"):
        synth.stream("Hello.")
    with pytest.raises(SynthesizerClosed):
        await synth.encode_voice(tone(1.0))


async def test_loading_what_is_not_there(tmp_path: Path) -> None:
    """No folder and a folder without a checkpoint each say what to do."""
    with pytest.raises(ModelNotFound, match="no folder"):
        await StreamingSynthesizer.load(tmp_path / "nowhere")
    with pytest.raises(ModelNotFound, match=r"config\.json"):
        await StreamingSynthesizer.load(tmp_path, codec=GOLDEN / "cat")
    with pytest.raises(UnsupportedModel, match="codec"):
        await StreamingSynthesizer.load(GOLDEN / "local", codec=GOLDEN / "local")
    with pytest.raises(ConfigError, match="device"):
        await StreamingSynthesizer.load(GOLDEN / "local", codec=GOLDEN / "cat", device="tpu")


async def test_two_tasks_share_a_synthesizer(fake: Pair) -> None:
    """Streams of several tasks are spoken whole, one after the other."""
    synth, _ = fake
    spoken = await asyncio.gather(*(synth.say(f"Number {number}.") for number in range(5)))
    assert {audio.duration_s for audio in spoken} == {0.24}


@pytest.mark.parametrize("n_vq", [0, 5])
async def test_warming_up_wants_codebooks_that_there_are(fake: Pair, n_vq: int) -> None:
    """A number that no stream can have is refused, and the engine hears nothing of it."""
    synth, engine = fake
    with pytest.raises(ConfigError, match=f"n_vq={n_vq}"):
        await synth.warmup(n_vq)
    assert ("capture", n_vq) not in engine.log and synth.is_ready


async def test_warming_up_is_done_before_it_is_ready() -> None:
    """What would be made while somebody waits is made now; until then it is not ready."""
    gate = threading.Semaphore(0)
    engine = FakeEngine(capture_gate=gate)
    async with await synthesizer_on(engine) as synth:
        warming = asyncio.create_task(synth.warmup(4))
        while ("capture", 4) not in engine.log:
            await asyncio.sleep(0)
        assert not synth.is_ready
        gate.release()
        await warming
        assert synth.is_ready


async def test_a_stereo_engine_is_heard_in_stereo() -> None:
    """Its rate and channels are said by `info`, by every chunk, the last one too, and by a recording."""
    async with await synthesizer_on(StereoFake(frames_per_segment=5)) as synth:
        assert (synth.info.sample_rate, synth.info.channels) == (48_000, 2)
        chunks = [chunk async for chunk in synth.stream("Hello.")]
        audio = await synth.say("Hello.")
    assert {(chunk.sample_rate, chunk.channels) for chunk in chunks} == {(48_000, 2)}
    assert all(chunk.samples.shape == (3840, 2) and chunk.duration_s == 0.08 for chunk in chunks[:-1])
    assert (audio.sample_rate, audio.channels, audio.duration_s) == (48_000, 2, 0.4)
    assert is_tone(audio.samples[:, 0], 48_000) and is_silent(audio.samples[:, 1])


@pytest.mark.parametrize(("channels", "is_alike"), [(1, True), (2, False)])
async def test_a_stereo_engine_hears_a_voice_in_stereo(channels: int, is_alike: bool) -> None:
    """A mono recording goes to both sides, a stereo one stays as it is, each at 48 kHz."""
    noise = np.random.default_rng(0).integers(-9000, 9000, (24_000, channels)).astype(np.int16)
    engine = StereoFake()
    async with await synthesizer_on(engine) as synth:
        voice = await synth.encode_voice(Audio(noise[:, 0] if channels == 1 else noise))
    (samples,) = engine.encoded
    assert samples.shape == (48_000, 2) and samples.dtype == np.float32
    assert (samples[:, 0] == samples[:, 1]).all() == is_alike
    assert voice.sample_rate == 48_000 and voice.duration_s == pytest.approx(0.96)


async def test_a_voice_of_another_codec_is_refused() -> None:
    """As many codebooks, but at 24 kHz: its codes would be noise."""
    noise = Audio(np.random.default_rng(0).integers(-9000, 9000, 24_000).astype(np.int16))
    async with await synthesizer_on(FakeEngine()) as mono, await synthesizer_on(StereoFake()) as stereo:
        voice = await mono.encode_voice(noise)
        with pytest.raises(
            AudioError, match="24000 Hz, this model's has 48000 Hz: .*Encode its recording again"
        ):
            stereo.stream("Hello.", voice=voice)


async def test_words_are_pronounced_as_a_lexicon_says() -> None:
    """The synthesizer's, or a stream's own; what chunks and words name is the text that was written."""
    text = "Use kubectl now."
    engine = FakeEngine()
    async with await synthesizer_on(engine) as synth:
        stream = synth.stream(
            list(text), options=SynthesisOptions(lexicon=Lexicon({"kubectl": "cube control"}))
        )
        chunks = [chunk async for chunk in stream]
        assert "".join(text[chunk.char_start : chunk.char_end] for chunk in chunks) == text
        assert [word.text for word in stream.words] == text.split()
        conversation = synth.conversation(options=SynthesisOptions().replace(lexicon={"now": "nou"}))
        assert [chunk async for chunk in conversation.stream(text)]
    said = [str(what.text) for kind, what in engine.log if kind == "begin"]  # type: ignore[attr-defined]
    assert said == ["Use cube control now.", "Use kubectl nou."]


async def test_a_lexicon_that_the_model_cannot_read() -> None:
    """Is refused when it is given: when the model is loaded, or by the stream."""
    lexicon = Lexicon({"tomato": "/təˈmɑːtəʊ/"})
    with pytest.raises(ConfigError, match="'tomato' is given in IPA or pinyin"):
        await StreamingSynthesizer.load(lexicon=lexicon)
    async with await synthesizer_on(FakeEngine()) as synth:
        with pytest.raises(ConfigError, match="Spell it in letters"):
            synth.stream("A tomato.", options=SynthesisOptions(lexicon=lexicon))
