"""LiveKit Agents: speech made in the agent's own process, without a server (extra: livekit)."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

from moss_stream.adapters.playout import Playout
from moss_stream.adapters.reply import Reply

from moss_stream import (
    Conversation,
    MissingDependency,
    MossError,
    Overloaded,
    StreamError,
    StreamingSynthesizer,
    SynthesisOptions,
    SynthesisStream,
    Voice,
)

try:
    from livekit.agents import APIConnectOptions, APIError, APIStatusError, tts, utils
    from livekit.agents.types import DEFAULT_API_CONNECT_OPTIONS
    from livekit.agents.voice.io import TimedString
except ImportError as error:
    raise MissingDependency("LiveKit Agents is not installed", "livekit") from error

__all__ = ["MossTTS"]

logger = logging.getLogger("moss_stream")


class MossTTS(tts.TTS):
    """Speaks an agent's text with a synthesizer in the same process.

    Text goes to the model token by token, as the language model writes it; replies go on in the voice and
    manner of the ones before (`Conversation`), unless one begins while another one is spoken. Words have
    their times. Closing a stream, as an interruption does, stops the model within a frame.

    Args:
        synth: Who speaks; it may be shared by many sessions, and is closed by whoever loaded it.
        voice: A name of `StreamingSynthesizer.voices`, a `Voice`, or the path of a recording or saved voice.
        options: How to speak.
        sample_rate: Of the audio, in Hz; None: the model's.

    Raises:
        ConfigError: The model cannot do what the options ask for.
        AudioError: The voice was encoded for another model.
        SynthesizerClosed: The synthesizer is closed.
    """

    def __init__(
        self,
        synth: StreamingSynthesizer,
        *,
        voice: Voice | str | None = None,
        options: SynthesisOptions | None = None,
        sample_rate: int | None = None,
    ) -> None:
        super().__init__(
            capabilities=tts.TTSCapabilities(streaming=True, aligned_transcript=True),
            sample_rate=sample_rate or synth.info.sample_rate,
            num_channels=1,
        )
        self.synth = synth
        self._voice = voice
        self._options = options or SynthesisOptions()
        self._talk = self._conversation(voice, self._options)
        self._warming: asyncio.Task[None] | None = None

    @property
    def model(self) -> str:
        """The model that is loaded, and where."""
        return self.synth.info.description

    @property
    def provider(self) -> str:
        """Who makes the speech."""
        return "moss-stream"

    def update_options(self, *, voice: Voice | str | None = None, **changes: Any) -> None:
        """Change how the next replies are spoken.

        Args:
            voice: Another voice; None leaves it as it is.
            changes: Of `SynthesisOptions`, such as `seed` or `language`.

        Raises:
            ConfigError: The model cannot do that; nothing is changed.
            AudioError: The voice was encoded for another model; nothing is changed.
        """
        voice, options = voice if voice is not None else self._voice, self._options.replace(**changes)
        self._talk = self._conversation(voice, options)
        self._voice, self._options = voice, options

    def prewarm(self) -> None:
        """Capture CUDA graphs and encode the voice's recording in the background, before the first reply."""
        if self._warming is None:
            self._warming = asyncio.create_task(self._warm())

    def synthesize(
        self, text: str, *, conn_options: APIConnectOptions = DEFAULT_API_CONNECT_OPTIONS
    ) -> tts.ChunkedStream:
        """Speak a whole text, as fast as the machine can."""
        return _WholeText(tts=self, input_text=text, conn_options=conn_options)

    def stream(
        self, *, conn_options: APIConnectOptions = DEFAULT_API_CONNECT_OPTIONS
    ) -> tts.SynthesizeStream:
        """Speak a text as it comes, two seconds ahead of who listens (`EngineOptions.max_lead_ms`)."""
        return _GrowingText(tts=self, conn_options=conn_options)

    async def aclose(self) -> None:
        """End what was begun; the synthesizer stays."""
        if self._warming is not None:
            self._warming.cancel()
            await asyncio.wait([self._warming])

    def speech(self, text: AsyncIterator[str]) -> SynthesisStream:
        """Return the stream of a reply: the conversation's next turn, if it has none under way."""
        try:
            return self._talk.stream(text)
        except StreamError:
            return self.synth.stream(text, voice=self._voice, options=self._options)

    def _conversation(self, voice: Voice | str | None, options: SynthesisOptions) -> Conversation:
        return self.synth.conversation(voice=voice, options=options)

    async def _warm(self) -> None:
        try:
            await self.synth.warmup(self._options.n_vq)
            voice = self._voice
            if isinstance(voice, str) and await asyncio.to_thread(Path(voice).is_file):
                await self.synth.encode_voice(voice)
        except MossError:  # the first reply ends with it
            logger.warning("The synthesizer could not be warmed up.", exc_info=True)


class _WholeText(tts.ChunkedStream):
    async def _run(self, output_emitter: tts.AudioEmitter) -> None:
        reply = Reply(self._tts.synth, self._tts.sample_rate)
        reply.write(self._input_text)
        reply.end()
        _initialize(output_emitter, self._tts, is_stream=False)
        await _speak(self._tts, reply, output_emitter)
        output_emitter.flush()


class _GrowingText(tts.SynthesizeStream):
    async def _run(self, output_emitter: tts.AudioEmitter) -> None:
        _initialize(output_emitter, self._tts, is_stream=True)
        first = await self._next_text()
        if first is None:
            return
        # A player of its own for each: when another one's audio is dropped, nobody says so.
        reply = Reply(self._tts.synth, self._tts.sample_rate, Playout(time.monotonic).begin())
        self._mark_started()
        output_emitter.start_segment(segment_id=utils.shortuuid())
        writing = asyncio.create_task(self._write(reply, first))
        try:
            await _speak(self._tts, reply, output_emitter)
        finally:
            await utils.aio.cancel_and_wait(writing)

    async def _next_text(self) -> str | None:
        """Return the next piece of text; None at the end."""
        async for item in self._input_ch:
            return item if isinstance(item, str) else None
        return None

    async def _write(self, reply: Reply, first: str) -> None:
        reply.write(first)
        while (text := await self._next_text()) is not None:
            reply.write(text)
        reply.end()


def _initialize(emitter: tts.AudioEmitter, service: MossTTS, is_stream: bool) -> None:
    emitter.initialize(
        request_id=utils.shortuuid(),
        sample_rate=service.sample_rate,
        num_channels=1,
        mime_type="audio/pcm",
        stream=is_stream,
    )


async def _speak(service: MossTTS, reply: Reply, emitter: tts.AudioEmitter) -> None:
    try:
        async with contextlib.aclosing(reply.speak(service.speech)) as parts:
            async for part in parts:
                for word in part.words:
                    timed = TimedString(word.text, start_time=word.start_s, end_time=word.end_s)
                    emitter.push_timed_transcript(timed)
                if part.pcm:
                    emitter.push(part.pcm)
    except Overloaded as error:
        raise APIStatusError(str(error), status_code=503, retryable=True) from error
    except MossError as error:
        raise APIError(str(error), retryable=False) from error
