"""Speak the answer of an OpenAI-compatible language model while it is being written.

    OPENAI_API_KEY=... python examples/speak_llm.py "Why is the sky blue?"

OPENAI_BASE_URL names another server, OPENAI_MODEL another model. Needs `pip install openai`. Plays through
the speaker if there is one, otherwise into answer.wav.
"""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import AsyncIterator

from openai import AsyncOpenAI

from moss_stream import MissingDependency, Sink, SinkError, StreamingSynthesizer, WavSink, play

MANNER = "You are spoken to. Answer in two or three plain sentences."


async def answer(question: str) -> AsyncIterator[str]:
    """Yield the answer piece by piece."""
    async with AsyncOpenAI() as client:
        events = await client.chat.completions.create(
            model=os.environ.get("OPENAI_MODEL", "gpt-4o-mini"),
            messages=[{"role": "system", "content": MANNER}, {"role": "user", "content": question}],
            stream=True,
        )
        async for event in events:
            if event.choices and (text := event.choices[0].delta.content):
                print(text, end="", flush=True)
                yield text


def open_sink(synth: StreamingSynthesizer) -> Sink:
    """Return the speaker, or a file where there is none."""
    try:
        from moss_stream.adapters.speaker import SpeakerSink

        info = synth.info
        speaker: Sink = SpeakerSink.open(sample_rate=info.sample_rate, channels=info.channels)
        return speaker
    except (MissingDependency, SinkError):
        return WavSink("answer.wav")


async def main(question: str) -> None:
    """Ask, and speak; the first words are heard long before the last ones are written."""
    async with await StreamingSynthesizer.load() as synth:
        sink = open_sink(synth)
        stream = synth.stream(answer(question))
        await play(stream, sink)
    await sink.aclose()
    assert stream.metrics is not None and stream.metrics.ttfa_s is not None
    print(f"\nfirst audio {1000 * stream.metrics.ttfa_s:.0f} ms after the first words")


asyncio.run(main(sys.argv[1]))
