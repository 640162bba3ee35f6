"""Pipecat's Cartesia service, unmodified, against our socket."""

from __future__ import annotations

import asyncio

from conftest import Server
from pipecat.frames.frames import (
    Frame,
    InterruptionFrame,
    LLMFullResponseEndFrame,
    LLMFullResponseStartFrame,
    LLMTextFrame,
    TTSAudioRawFrame,
    TTSStartedFrame,
    TTSStoppedFrame,
    TTSTextFrame,
)
from pipecat.services.cartesia.tts import CartesiaTTSService
from pipecat.tests.utils import SleepFrame, run_test

TEXT = "Good morning, how are you today?"


def service(server: Server) -> CartesiaTTSService:
    """The service, with nothing but another address."""
    return CartesiaTTSService(
        api_key="any",
        url=f"ws://{server.address}/tts/websocket",
        settings=CartesiaTTSService.Settings(voice="rms"),
    )


def answer(text: str) -> list[Frame]:
    """What a language model's answer is in a pipeline."""
    deltas = [LLMTextFrame(word + " ") for word in text.split(" ")]
    return [LLMFullResponseStartFrame(), *deltas, LLMFullResponseEndFrame()]


async def test_an_answer_is_spoken_with_times_of_its_words(server: Server) -> None:
    """Started, audio, every word in its time, stopped; in that order."""
    down, _ = await run_test(service(server), frames_to_send=[*answer(TEXT), SleepFrame(6.0)])
    kinds = [type(frame) for frame in down]
    assert kinds.index(TTSStartedFrame) < kinds.index(TTSAudioRawFrame) < kinds.index(TTSStoppedFrame)
    audio = b"".join(frame.audio for frame in down if isinstance(frame, TTSAudioRawFrame))
    rate = next(frame.sample_rate for frame in down if isinstance(frame, TTSAudioRawFrame))
    assert 1.0 < len(audio) / 2 / rate < 6.0
    assert [frame.text for frame in down if isinstance(frame, TTSTextFrame)] == TEXT.split()
    stamps = [frame.pts for frame in down if isinstance(frame, TTSTextFrame)]
    assert stamps == sorted(stamps) and stamps[-1] - stamps[0] > 300_000_000


async def test_an_interruption_reaches_the_engine(server: Server) -> None:
    """The slot is free at once; the next answer is spoken."""
    before = server.count('moss_streams_ended_total{how="cancelled"}')
    tts = service(server)
    long = "A very long answer that nobody wants to hear to its end. " * 10
    frames = [
        *answer(long),
        SleepFrame(1.0),
        InterruptionFrame(),
        SleepFrame(0.5),
        *answer(TEXT),
        SleepFrame(5.0),
    ]
    down, _ = await run_test(tts, frames_to_send=frames)
    assert server.count('moss_streams_ended_total{how="cancelled"}') == before + 1
    cut = next(index for index, frame in enumerate(down) if isinstance(frame, InterruptionFrame))
    later = [frame.text for frame in down[cut:] if isinstance(frame, TTSTextFrame)]
    assert later == TEXT.split()
    while server.count("moss_streams_active"):
        await asyncio.sleep(0.02)
