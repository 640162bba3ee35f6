"""MOSS-TTS-Realtime behind the public interface: the golden model, and a codec that fits."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator

import numpy as np
import pytest
import torch
from realtime_data import FOLDER, codec_folder, codes, engine, greedy

from moss_stream import (
    Audio,
    AudioError,
    ConfigError,
    Conversation,
    EngineOptions,
    StreamingSynthesizer,
    SynthesisOptions,
    TextError,
    UnsupportedModel,
    Voice,
)
from moss_stream.engine.protocol import FrameKind
from moss_stream.engine.speech_engine import SpeechEngine
from moss_stream.text.dialogue import Dialogue
from moss_stream.text.message import Heard, Message, Said

TEXT = "We stand on the threshold of the AI era. Hello, may I ask which city you are from?"
SHORT = "We stand on the threshold."


async def load(**options: object) -> StreamingSynthesizer:
    return await StreamingSynthesizer.load(
        FOLDER,
        codec=codec_folder(),
        device="cpu",
        dtype="float32",
        options=EngineOptions(**{"max_context": 1024, **options}),  # type: ignore[arg-type]
    )


@pytest.fixture
async def synth() -> AsyncIterator[StreamingSynthesizer]:
    async with await load(max_streams=4) as made:
        yield made


def remembered(talk: Conversation) -> tuple[Heard | Said, ...]:
    """What the next turn of a conversation would be told."""
    memory = talk._make(None)._turn.script.memory
    assert isinstance(memory, Dialogue)
    return memory.turns()


def run(made: SpeechEngine, slot: int, frames: int) -> tuple[np.ndarray, np.ndarray]:
    found = []
    while not made.prefill(slot) or not made.is_fed(slot):
        pass
    for _ in range(frames):
        frame = made.step([slot])[0]
        if frame.kind is FrameKind.AUDIO:
            found.append(frame)
    pcm = np.frombuffer(b"".join(frame.pcm for frame in found), dtype=np.int16)
    return np.stack([frame.codes for frame in found]), pcm


def test_streamed_is_offline() -> None:
    """The samples of the frames are those of the codec over all codes at once."""
    made = engine(max_context=512)
    made.open(1, greedy())
    prompt = made.prompt(Message(reference=[codes("voice")]), None)
    made.begin(1, prompt)
    made.give(1, TEXT, is_last=True)
    spoken, pcm = run(made, 1, 60)
    decoder = made._codec.decoder
    with torch.inference_mode():
        whole = decoder(torch.from_numpy(spoken)[None], decoder.new_state(1, max_frames=len(spoken)))[0]
    np.testing.assert_allclose(pcm / 32767, whole.clamp(-1, 1).numpy(), atol=1e-4)
    assert len(spoken) > 40 and 100 < np.abs(pcm).mean() < 30_000


async def test_the_same_text_is_spoken_alike_in_any_pieces(synth: StreamingSynthesizer) -> None:
    """Words are tokenized as the whole text is, and alone as in company."""
    options = SynthesisOptions(seed=5)

    async def spoken(*deltas: str) -> bytes:
        async with synth.stream(options=options) as stream:

            async def push() -> None:
                for delta in deltas:
                    await stream.push(delta)
                await stream.end()

            pushing = asyncio.create_task(push())
            pcm = b"".join([chunk.pcm async for chunk in stream])
            await pushing
            return pcm

    whole = await spoken(SHORT)
    assert len(whole) > 20 * 3840
    assert await spoken(*SHORT) == await spoken(SHORT[:15], SHORT[15:]) == whole


async def test_a_conversation_runs_only_what_is_new(monkeypatch: pytest.MonkeyPatch) -> None:
    """What both sides said is in the prompt of the next turn; its rows are in the cache already."""
    prompts, begun = [], []
    build, begin = SpeechEngine.prompt, SpeechEngine.begin

    def prompt(self: SpeechEngine, *args: object) -> object:
        prompts.append(build(self, *args))  # type: ignore[arg-type]
        return prompts[-1]

    def note(self: SpeechEngine, slot: int, *args: object) -> int:
        room = begin(self, slot, *args)  # type: ignore[arg-type]
        begun.append(self.generator._slots[slot].length)
        return room

    monkeypatch.setattr(SpeechEngine, "prompt", prompt)
    monkeypatch.setattr(SpeechEngine, "begin", note)
    async with await load() as synth:
        talk = synth.conversation(options=greedy(1.1))
        await talk.user_said("Where are you from?", Audio(np.full(24_000, 900, np.int16)))
        first = [chunk async for chunk in talk.stream("From here, I think.")]
        await talk.user_said("Thanks!")
        async for _ in talk.stream("You are welcome."):
            pass
    heard, said, thanks = prompts[1].message.dialogue
    assert isinstance(heard, Heard) and heard.codes is not None and heard.codes.shape == (12, 6)
    assert isinstance(said, Said) and len(said.codes) == len(first) - 1 and thanks == Heard("Thanks!")
    assert begun[0] == 0 and len(prompts[1].rows) - begun[1] < 60, "the new question, and a frame"
    assert begun[1] > len(prompts[0].rows) + len(said.codes)


async def test_an_interrupted_turn_is_remembered_to_the_frame(synth: StreamingSynthesizer) -> None:
    """Eight chunks were taken: eight frames are in the next prompt."""
    talk = synth.conversation()
    async with talk.stream(TEXT) as stream:
        chunks = aiter(stream)
        for _ in range(8):
            await anext(chunks)
        spoken = await stream.cancel()
    assert 0 < spoken.char_end < len(TEXT) and spoken.seconds == pytest.approx(0.64)
    (said,) = remembered(talk)
    assert isinstance(said, Said)
    assert len(said.codes) == 8


async def test_who_breaks_out_of_the_loop_has_heard_no_more(synth: StreamingSynthesizer) -> None:
    """Without `cancel`, too: what was made ahead is not in the next prompt."""
    talk = synth.conversation()
    stream, taken = talk.stream(TEXT), 0
    async for _ in stream:
        taken += 1
        if taken == 5:
            break
    while not stream.state.is_over:
        await asyncio.sleep(0)
    following = talk.stream("Hi")
    assert isinstance(following._turn.script.memory, Dialogue)
    (said,) = following._turn.script.memory.turns()
    assert isinstance(said, Said) and len(said.codes) == 5


async def test_the_context_rolls_over(caplog: pytest.LogCaptureFixture) -> None:
    """A long conversation goes on in a short context, which forgets the oldest turns more than once."""
    with caplog.at_level(logging.INFO, "moss_stream.text"):
        async with await load(max_context=448, max_streams=1) as made:
            talk = made.conversation(options=SynthesisOptions(seed=3))
            for turn in range(9):
                await talk.user_said(f"Question number {turn}")
                frames = [chunk async for chunk in talk.stream("An answer.")]
                assert len(frames) > 3
            num_remembered = len(remembered(talk))
    assert caplog.text.count("oldest turns") >= 3 and num_remembered < 9


async def test_many_streams_with_voices_are_spoken_beside_each_other(synth: StreamingSynthesizer) -> None:
    """Each is what it is alone."""
    voice = Voice(codes("voice"), "a voice")

    async def spoken(index: int) -> bytes:
        stream = synth.stream(SHORT, voice=voice if index % 2 else None, options=SynthesisOptions(seed=index))
        return b"".join([chunk.pcm async for chunk in stream])

    alone = [await spoken(index) for index in range(3)]
    together = await asyncio.gather(*(spoken(index) for index in range(3)))
    assert [len(pcm) for pcm in together] == [len(pcm) for pcm in alone]
    for a, b in zip(alone, together, strict=True):
        apart = np.frombuffer(a, np.int16).astype(int) - np.frombuffer(b, np.int16)
        assert np.abs(apart).max() <= 2


@pytest.mark.parametrize(
    "options",
    [{"n_vq": 3}, {"tokens": 20}, {"instruction": "softly"}, {"quality": "high"}, {"ambient_sound": "rain"}],
)
async def test_what_the_model_does_not_know_is_refused(
    synth: StreamingSynthesizer, options: dict[str, object]
) -> None:
    """Silently leaving it out would be a lie; what it was trained with is taken."""
    with pytest.raises(ConfigError, match=next(iter(options))):
        synth.stream("Hi", options=SynthesisOptions(**options))  # type: ignore[arg-type]
    synth.stream("Hi", options=SynthesisOptions(n_vq=6, language="English"))


async def test_what_the_user_said_has_limits(synth: StreamingSynthesizer) -> None:
    """A text that is too long, a recording that is none, a minute at most."""
    talk = synth.conversation()
    with pytest.raises(TextError, match="10,000"):
        await talk.user_said("x" * 10_001)
    for bad in (b"no sound", Audio(np.zeros(100, np.int16)), Audio(np.zeros(24_000 * 61, np.int16))):
        with pytest.raises(AudioError):
            await talk.user_said("Hi", bad)


async def test_compiled_loops_are_for_other_models() -> None:
    """Asked for, they are refused with a sentence; otherwise PyTorch computes, without a warning."""
    with pytest.raises(ConfigError, match="no loops"):
        await load(compiled=True)


async def test_a_codec_with_other_codes_does_not_fit() -> None:
    """It would make noise."""
    from golden_data import GOLDEN

    with pytest.raises(UnsupportedModel, match="does not belong"):
        await StreamingSynthesizer.load(FOLDER, codec=GOLDEN / "cat", device="cpu")


async def test_two_synthesizers_in_one_process(synth: StreamingSynthesizer) -> None:
    """Local beside Realtime, at the same time."""
    from golden_data import GOLDEN

    other = await StreamingSynthesizer.load(
        GOLDEN / "local", codec=GOLDEN / "cat", device="cpu", options=EngineOptions(compiled=False)
    )
    async with other:
        both = await asyncio.gather(synth.say("Hello there."), other.say("Hello there."))
    assert all(len(audio.samples) for audio in both)
