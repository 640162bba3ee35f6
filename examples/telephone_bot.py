"""A voice bot on the telephone: Twilio calls, it greets, and falls silent when the caller begins to speak.

    python examples/telephone_bot.py 8020

Let Twilio's number ask for /voice, at a public address that leads here. GREETING may be a language model.
"""

from __future__ import annotations

import asyncio
import base64
import sys
from types import SimpleNamespace

import uvicorn
from fastapi import FastAPI, Request, Response, WebSocket
from moss_stream.adapters.telephony import TelephonySink

from moss_stream import Playback, StreamingSynthesizer, play

app = FastAPI()
GREETING = "Good morning. You have reached a machine. I can talk for a long time, until you begin to speak."
QUIET = bytes([0x7C, 0x7D, 0x7E, 0x7F, 0xFC, 0xFD, 0xFE, 0xFF])  # the smallest levels of mu-law
LOUD_FRAMES = 5  # 100 ms of sound are a word, fewer a click


@app.post("/voice")
async def voice(request: Request) -> Response:
    """Tell Twilio where the audio of a call goes."""
    stream = f'<Connect><Stream url="wss://{request.url.netloc}/call"/></Connect>'
    return Response(f"<Response>{stream}</Response>", media_type="text/xml")


@app.websocket("/call")
async def call(socket: WebSocket) -> None:
    """Take a call."""
    await socket.accept()
    playing: Playback | None = None
    async for message in socket.iter_json():
        if message["event"] == "start":
            sink = TelephonySink(SimpleNamespace(send=socket.send_text), message["streamSid"])
            playing, num_loud = play(app.state.synth.stream(GREETING), sink), 0
        elif message["event"] == "media" and playing is not None:
            sound = base64.b64decode(message["media"]["payload"]).translate(None, QUIET)
            num_loud = num_loud + 1 if len(sound) > 80 else 0  # half of a frame
            if num_loud == LOUD_FRAMES and (spoken := await playing.interrupt()) is not None:
                print("heard:", spoken.text, flush=True)
        elif playing is not None:
            sink.heard(message)
    if playing is not None:
        await playing.interrupt()


async def main(port: int) -> None:
    """Serve on loopback."""
    async with await StreamingSynthesizer.load() as app.state.synth:
        await uvicorn.Server(uvicorn.Config(app, port=port)).serve()


asyncio.run(main(int(sys.argv[1])))
