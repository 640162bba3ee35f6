"""Two models in one process: a thread and slots each, and nothing that they share."""

from __future__ import annotations

import asyncio

import numpy as np
from golden_data import GOLDEN

from moss_stream import Audio, EngineOptions, SamplingOptions, StreamingSynthesizer, SynthesisOptions
from moss_stream.config import ChannelSampling

TEXT = "Hello there. How are you?"
GREEDY = ChannelSampling(temperature=0.0)
OPTIONS = SynthesisOptions(sampling=SamplingOptions(text=GREEDY, audio=ChannelSampling(top_k=5)), seed=4)


async def load(model: str) -> StreamingSynthesizer:
    return await StreamingSynthesizer.load(
        GOLDEN / model,
        codec=GOLDEN / "cat",
        device="cpu",
        dtype="float32",
        options=EngineOptions(max_context=512, fixed_batch=True),
    )


async def say(synth: StreamingSynthesizer, voice: Audio) -> bytes:
    """Speak, and stop after two seconds: what is made up has no end of its own."""
    parts = []
    async for chunk in synth.stream(TEXT, voice=voice, options=OPTIONS):
        parts.append(chunk.pcm)
        if len(parts) == 25:
            break
    return b"".join(parts)


async def test_they_speak_at_the_same_time_as_each_alone() -> None:
    """Same samples, and closing one leaves the other."""
    voice = Audio((8000 * np.sin(np.arange(24_000) / 20)).astype(np.int16), 24_000)
    alone = {}
    for model in ("local", "delay"):
        async with await load(model) as synth:
            alone[model] = await say(synth, voice)
    async with await load("local") as local, await load("delay") as delay:
        both = await asyncio.gather(say(local, voice), say(delay, voice), say(local, voice))
        assert list(both) == [alone["local"], alone["delay"], alone["local"]]
        await local.close()
        assert await say(delay, voice) == alone["delay"]
