"""A person interrupts: the speech stops, and the conversation knows what was heard.

    python examples/barge_in.py

Plays through the speaker if there is one, otherwise into barge_in.wav.
"""

from __future__ import annotations

import asyncio

from moss_stream import MissingDependency, Sink, SinkError, StreamingSynthesizer, WavSink, play

ANSWER = "Of course. The museum opens at nine, the tickets are four euros, and on Mondays it is closed."
REPLY = "All right, I will be brief."


def open_sink(synth: StreamingSynthesizer) -> Sink:
    """Return the speaker, or a file where there is none."""
    try:
        from moss_stream.adapters.speaker import SpeakerSink

        info = synth.info
        speaker: Sink = SpeakerSink.open(sample_rate=info.sample_rate, channels=info.channels)
        return speaker
    except (MissingDependency, SinkError):
        return WavSink("barge_in.wav")


async def main() -> None:
    """Speak, interrupt after two seconds of audio, and go on in the same conversation."""
    async with await StreamingSynthesizer.load() as synth:
        sink = open_sink(synth)
        talk = synth.conversation()
        playing = play(talk.stream(ANSWER), sink)
        while sink.position_s < 2.0:  # noqa: ASYNC110 (a real program listens to the microphone)
            await asyncio.sleep(0.02)
        spoken = await playing.interrupt()
        assert spoken is not None
        print(f"heard: {spoken.text!r} ({spoken.seconds:.1f} s), never heard: {ANSWER[spoken.char_end :]!r}")
        await play(talk.stream(REPLY), sink)
    await sink.aclose()


asyncio.run(main())
