"""A LiveKit agent that speaks in its own process: it answers whoever joins its room.

    OPENAI_API_KEY=... python examples/livekit_bot.py console

`console` uses this machine's microphone and loudspeaker, `dev` the server that LIVEKIT_URL, LIVEKIT_API_KEY
and LIVEKIT_API_SECRET name. OPENAI_BASE_URL and OPENAI_MODEL name another language model. Needs
`pip install moss-stream[livekit] livekit-plugins-openai`; to hear the person, give the session an `stt`, too.
"""

from __future__ import annotations

import os

from livekit.agents import Agent, AgentServer, AgentSession, JobContext, cli
from livekit.plugins import openai
from moss_stream.adapters.livekit import MossTTS

from moss_stream import StreamingSynthesizer

MANNER = "You are spoken to. Answer in two or three plain sentences."
MODEL = os.environ.get("OPENAI_MODEL", "gpt-4o-mini")
server = AgentServer()


def session_with(synth: StreamingSynthesizer) -> AgentSession:
    """Return a session whose words are shown, and remembered, as they are heard."""
    tts = MossTTS(synth, voice="slt")
    return AgentSession(llm=openai.LLM(model=MODEL), tts=tts, use_tts_aligned_transcript=True)


@server.rtc_session()
async def answer(job: JobContext) -> None:
    """Take a call; the model is loaded once for each process, and freed with it."""
    synth = await StreamingSynthesizer.load()
    job.add_shutdown_callback(synth.close)
    session = session_with(synth)
    await session.start(Agent(instructions=MANNER), room=job.room)
    session.generate_reply(instructions="Greet the person.")


if __name__ == "__main__":
    cli.run_app(server)
