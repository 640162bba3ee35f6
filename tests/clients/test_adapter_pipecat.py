"""`moss_stream.adapters.pipecat` in pipelines of the published Pipecat, with the embedded voice."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import numpy as np
import pytest
from moss_stream.adapters.pipecat import MossTTSService
from pipecat.frames.frames import (
    ErrorFrame,
    Frame,
    InterruptionFrame,
    LLMFullResponseEndFrame,
    LLMFullResponseStartFrame,
    LLMTextFrame,
    MetricsFrame,
    OutputAudioRawFrame,
    StartFrame,
    TextFrame,
    TTSAudioRawFrame,
    TTSSpeakFrame,
    TTSStartedFrame,
    TTSStoppedFrame,
    TTSTextFrame,
    TTSUpdateSettingsFrame,
)
from pipecat.metrics.metrics import TTFBMetricsData, TTSUsageMetricsData
from pipecat.pipeline.pipeline import Pipeline
from pipecat.pipeline.worker import PipelineParams
from pipecat.processors.aggregators.llm_context import LLMContext
from pipecat.processors.aggregators.llm_response_universal import LLMContextAggregatorPair
from pipecat.processors.frame_processor import FrameDirection, FrameProcessor
from pipecat.services.tts_service import TextAggregationMode
from pipecat.tests.utils import SleepFrame, run_test
from pipecat.transports.base_output import BaseOutputTransport
from pipecat.transports.base_transport import TransportParams
from test_pipecat import TEXT, answer

from moss_stream import ConfigError, StreamingSynthesizer, SynthesisOptions

LONG = "A very long answer that nobody wants to hear to its end. " * 10


@pytest.fixture
async def synth() -> AsyncIterator[StreamingSynthesizer]:
    """The embedded voice, in this process."""
    async with await StreamingSynthesizer.load() as loaded:
        yield loaded


class Loudspeaker(BaseOutputTransport):
    """Plays in real time."""

    async def start(self, frame: StartFrame) -> None:
        await super().start(frame)
        await self.set_transport_ready(frame)

    async def write_audio_frame(self, frame: OutputAudioRawFrame) -> bool:
        await asyncio.sleep(len(frame.audio) / 2 / frame.sample_rate)
        return True


class Microphone(FrameProcessor):
    """Where an interruption begins: before the speech service, so that this stops before the output does."""

    async def process_frame(self, frame: Frame, direction: FrameDirection) -> None:
        await super().process_frame(frame, direction)
        await self.push_frame(frame, direction)


class Listener(FrameProcessor):
    """Interrupts after some words were heard.

    Attributes:
        heard: The words that the output released.
    """

    def __init__(self, microphone: Microphone, interrupt_after: int) -> None:
        super().__init__()
        self.heard: list[str] = []
        self._microphone = microphone
        self._interrupt_after = interrupt_after

    async def process_frame(self, frame: Frame, direction: FrameDirection) -> None:
        await super().process_frame(frame, direction)
        await self.push_frame(frame, direction)
        if isinstance(frame, TTSTextFrame):
            self.heard.append(frame.text)
        elif isinstance(frame, OutputAudioRawFrame) and len(self.heard) == self._interrupt_after:
            self._interrupt_after = -1
            await self._microphone.broadcast_interruption()


def pcm(frames: list[Frame]) -> bytes:
    return b"".join(frame.audio for frame in frames if isinstance(frame, TTSAudioRawFrame))


def words(frames: list[Frame]) -> list[str]:
    return [frame.text for frame in frames if isinstance(frame, TTSTextFrame)]


async def test_an_answer_is_spoken_with_times_of_its_words(synth: StreamingSynthesizer) -> None:
    """Started, audio at the pipeline's rate, every word in its time, stopped; and what it cost."""
    params = PipelineParams(audio_out_sample_rate=16_000, enable_metrics=True, enable_usage_metrics=True)
    tts = MossTTSService(synth, settings=MossTTSService.Settings(voice="slt"))
    frames = [*answer(TEXT), SleepFrame(3.0)]
    down, up = await run_test(tts, frames_to_send=frames, pipeline_params=params)
    kinds = [type(frame) for frame in down]
    assert kinds.index(TTSStartedFrame) < kinds.index(TTSAudioRawFrame) < kinds.index(TTSStoppedFrame)
    assert {frame.sample_rate for frame in down if isinstance(frame, TTSAudioRawFrame)} == {16_000}
    spoken_s = len(pcm(down)) / 2 / 16_000
    assert 1.0 < spoken_s < 6.0
    assert words(down) == TEXT.split()
    stamps = [frame.pts for frame in down if isinstance(frame, TTSTextFrame)]
    assert stamps == sorted(stamps) and 0.5e9 < stamps[-1] - stamps[0] < spoken_s * 1e9
    data = [each for frame in [*down, *up] if isinstance(frame, MetricsFrame) for each in frame.data]
    assert [each for each in data if isinstance(each, TTFBMetricsData) and each.value > 0]
    assert sum(each.value for each in data if isinstance(each, TTSUsageMetricsData)) == len(TEXT + " ")


@pytest.mark.parametrize(
    ("text", "mode"),
    [
        (TEXT, TextAggregationMode.TOKEN),
        ("Hello 你好，世界。", TextAggregationMode.TOKEN),
        ("A **bold** word, and 12 more.", TextAggregationMode.TOKEN),
        ("Hello there. How are you?", TextAggregationMode.SENTENCE),
    ],
)
async def test_the_context_gets_what_was_spoken(
    synth: StreamingSynthesizer, text: str, mode: TextAggregationMode
) -> None:
    """In the words of the language model, whatever its tokens are, and however they are aggregated."""
    context = LLMContext()
    settings = MossTTSService.Settings(voice="slt")
    tts = MossTTSService(synth, settings=settings, text_aggregation_mode=mode)
    pipeline = Pipeline([tts, LLMContextAggregatorPair(context).assistant()])
    deltas = [LLMTextFrame(character) for character in text]
    frames = [LLMFullResponseStartFrame(), *deltas, LLMFullResponseEndFrame(), SleepFrame(3.0)]
    await run_test(pipeline, frames_to_send=frames)
    assert [message["content"] for message in context.get_messages()] == [text]


async def test_an_interruption_stops_the_engine_and_keeps_what_was_heard(synth: StreamingSynthesizer) -> None:
    """Played in real time: the context ends with the last word that was heard; the next answer is whole."""
    context = LLMContext()
    output = Loudspeaker(TransportParams(audio_out_enabled=True))
    microphone = Microphone()
    listener = Listener(microphone, interrupt_after=4)
    tts = MossTTSService(synth, settings=MossTTSService.Settings(voice="slt"))
    pipeline = Pipeline([microphone, tts, output, listener, LLMContextAggregatorPair(context).assistant()])
    frames = [*answer(LONG), SleepFrame(4.0), *answer(TEXT), SleepFrame(5.0)]
    await run_test(pipeline, frames_to_send=frames)
    heard, after = listener.heard[: -len(TEXT.split())], listener.heard[-len(TEXT.split()) :]
    assert heard[:4] == LONG.split()[:4] and len(heard) < 8 and after == TEXT.split()
    assert [message["content"] for message in context.get_messages()] == [" ".join(heard), TEXT]
    assert synth.metrics.ended == {"cancelled": 1, "done": 1}
    assert synth.metrics.frames * 0.08 < 10.0  # the engine was two seconds ahead of the listener


async def test_settings_hold_from_the_next_reply_on(synth: StreamingSynthesizer) -> None:
    """Another voice sounds different; one that is not there is an error, and the old one stays."""
    tts = MossTTSService(synth, settings=MossTTSService.Settings(voice="slt", seed=3))

    def update(**changes: object) -> TTSUpdateSettingsFrame:
        return TTSUpdateSettingsFrame(delta=MossTTSService.Settings(**changes))

    frames: list[Frame] = []
    for change in (None, update(voice="nobody"), update(voice="rms"), update(voice="slt", language="de-DE")):
        frames += [
            *([] if change is None else [change, SleepFrame(0.2)]),
            TTSSpeakFrame("Good morning."),
            SleepFrame(1.5),
        ]
    down, up = await run_test(tts, frames_to_send=frames)
    errors = [frame.error for frame in up if isinstance(frame, ErrorFrame)]
    assert len(errors) == 1 and "'nobody'" in errors[0] and "slt" in errors[0]
    starts = [at for at, frame in enumerate(down) if isinstance(frame, TTSStartedFrame)]
    parts = [pcm(down[a:b]) for a, b in zip(starts, [*starts[1:], None], strict=True)]
    assert len(parts) == 4 and parts[0] != parts[2] and all(map(len, parts))
    assert tts.settings.voice == "slt" and tts.settings.language == "German"


async def test_what_the_model_cannot_do_is_refused_at_once(synth: StreamingSynthesizer) -> None:
    """When the service is made."""
    with pytest.raises(ConfigError):
        MossTTSService(synth, options=SynthesisOptions(n_vq=1000))


async def test_what_must_not_be_interrupted_is_not(synth: StreamingSynthesizer) -> None:
    """It is spoken to its end, and what follows it too."""
    tts = MossTTSService(synth, settings=MossTTSService.Settings(voice="slt"))
    notice = TTSSpeakFrame("This call is recorded.")
    notice.interruptible = False
    frames = [
        notice,
        SleepFrame(0.1),
        InterruptionFrame(),
        SleepFrame(0.1),
        *answer(TEXT),
        SleepFrame(4.0),
    ]
    down, _ = await run_test(tts, frames_to_send=frames)
    assert words(down) == ["This", "call", "is", "recorded.", *TEXT.split()]
    assert synth.metrics.ended == {"done": 2}


async def test_a_turn_that_nobody_ends_is_spoken_when_the_pipeline_ends(synth: StreamingSynthesizer) -> None:
    """And so is a text that belongs to no turn."""
    tts = MossTTSService(synth, settings=MossTTSService.Settings(voice="slt"))
    frames = [TextFrame("Hello there."), LLMFullResponseStartFrame(), LLMTextFrame("And you.")]
    down, _ = await run_test(tts, frames_to_send=frames)
    assert len(pcm(down)) / 2 / 24_000 > 0.8
    assert [type(frame) for frame in down].count(TTSStoppedFrame) == 2


async def test_a_failure_is_reported_and_the_service_given_no_more_work(synth: StreamingSynthesizer) -> None:
    """So that a pipeline can switch to another one."""
    tts = MossTTSService(synth)
    await synth.close()
    down, up = await run_test(tts, frames_to_send=[*answer(TEXT), SleepFrame(0.5), *answer(TEXT)])
    errors = [frame.error for frame in up if isinstance(frame, ErrorFrame)]
    assert any("closed" in error for error in errors) and not pcm(down)
    assert not tts.is_usable


async def test_two_pipelines_share_a_synthesizer(synth: StreamingSynthesizer) -> None:
    """They speak at the same time, each with its own voice."""
    services = [
        MossTTSService(synth, settings=MossTTSService.Settings(voice=name)) for name in ("slt", "rms")
    ]
    runs = [run_test(tts, frames_to_send=[*answer(TEXT), SleepFrame(3.0)]) for tts in services]
    downs = [down for down, _ in await asyncio.gather(*runs)]
    assert [words(down) for down in downs] == [TEXT.split()] * 2
    assert len({np.frombuffer(pcm(down), "<i2").tobytes() for down in downs}) == 2
