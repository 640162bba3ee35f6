"""The synthesizer: a model on a device, and the streams it speaks."""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np

from moss_stream.audio import Audio
from moss_stream.config import EngineOptions, SynthesisOptions
from moss_stream.conversation import Conversation
from moss_stream.embedded import EMBEDDED_NOTE, embedded_model
from moss_stream.engine.protocol import Engine, EngineInfo
from moss_stream.engine.worker import CLOSED, Worker
from moss_stream.engine_metrics import EngineMetrics
from moss_stream.errors import AudioError, ConfigError, SynthesizerClosed
from moss_stream.families.family import find
from moss_stream.hub import codec_of, locate
from moss_stream.option_checks import check_options, check_voice
from moss_stream.quote import quoted
from moss_stream.stream import SynthesisStream
from moss_stream.text.dialogue import Dialogue
from moss_stream.text.history import History
from moss_stream.text.incremental import Incremental
from moss_stream.text.message import Codes
from moss_stream.text.script import Script
from moss_stream.text.segmented import Segmented
from moss_stream.text_source import Text
from moss_stream.voice_cache import VoiceCache
from moss_stream.voices import Reference, Voice, load_speech

__all__ = ["StreamingSynthesizer"]

logger = logging.getLogger("moss_stream")
DRAIN_S = 60.0
"""Longer than most replies take to be spoken, and short enough for whoever waits for a program to end."""


class StreamingSynthesizer:
    """Speaks text while it is being written.

    Use it as an async context manager: `async with await StreamingSynthesizer.load(...) as synth`.

    Attributes:
        info: The model that is loaded, where, its codebooks, and the rate and channels of its audio.
    """

    def __init__(self, worker: Worker, info: EngineInfo, options: EngineOptions) -> None:
        self._worker = worker
        self._options = options
        self._voice_cache = VoiceCache(
            worker.encode,
            options.voice_cache,
            options.voice_folder,
            info.sample_rate,
            info.channels,
            info.num_codebooks,
        )
        self._is_warming = False
        self.info = info

    @classmethod
    async def load(
        cls,
        model: str | Path | None = None,
        *,
        codec: str | Path | None = None,
        device: str = "auto",
        dtype: str = "auto",
        revision: str | None = None,
        offline: bool = False,
        options: EngineOptions | None = None,
    ) -> Self:
        """Load a model and its codec, on a thread of their own.

        Cancelling it returns at once; the thread ends when the step it is at is done.

        Args:
            model: A folder or hub repository id of a checkpoint of one of the families (see
                `moss-stream doctor`); None takes the voice that comes with the package.
            codec: A folder or repository id of its codec; None takes the one that the checkpoint
                names.
            device: "auto" (CUDA, then MPS, then CPU), "cuda", "cuda:1", "mps" or "cpu".
            dtype: Of the speech model: "auto", "bfloat16", "float16" or "float32". The codec runs in
                float32.
            revision: Branch, tag or commit of the model's repository.
            offline: Use only what was downloaded before.
            options: How the model runs.

        Raises:
            LoadError: A checkpoint cannot be loaded; see `moss_stream.errors` for the kinds.
            ConfigError: There is no such device or dtype.
        """
        settings = options or EngineOptions()

        def make() -> Engine:
            from moss_stream.engine.load import load_engine

            folder = embedded_model() if model is None else locate(model, revision, offline)
            if model is None:
                logger.info(EMBEDDED_NOTE)
            # Before its codec is downloaded: a checkpoint of another model, or none at all.
            find(folder)
            return load_engine(
                folder, locate(codec or codec_of(folder), None, offline), device, dtype, settings
            )

        worker = Worker(make, settings.max_queue, settings.max_queue_s)
        return cls(worker, await worker.start(), settings)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    @property
    def voices(self) -> Mapping[str, Voice]:
        """The voices that come with the model, by name."""
        return self.info.voices

    @property
    def is_ready(self) -> bool:
        """Whether streams are taken and spoken at once: not closed, no failure, no warm-up under way."""
        return not (self._worker.is_closed or self._worker.failure or self._is_warming)

    async def warmup(self, n_vq: int | None = None) -> None:
        """Capture all CUDA graphs now instead of on first use.

        There is one for each number of streams, context length and length of a prompt's chunk, rounded up. It
        takes seconds in which nothing is spoken; `moss-stream serve` does it before it is ready. Elsewhere
        than on CUDA it does nothing.

        Args:
            n_vq: For streams with so many codebooks; None: with all.

        Raises:
            ConfigError: The model has fewer codebooks.
            SynthesizerClosed: It is closed.
            EngineError: The engine failed.
        """
        self._check(SynthesisOptions(n_vq=n_vq))
        self._is_warming = True
        try:
            await self._worker.capture(n_vq)
        finally:
            self._is_warming = False

    @property
    def metrics(self) -> EngineMetrics:
        """What was counted of all streams until now."""
        return self._worker.metrics()

    def stream(
        self,
        text: Text | None = None,
        *,
        voice: Voice | Reference | None = None,
        options: SynthesisOptions | None = None,
    ) -> SynthesisStream:
        """Speak `text`; iterate the result for 80 ms of audio at a time.

        MossTTSLocal reads a text before it speaks it, so the text is spoken segment by segment, a clause or
        some sentences each; every segment continues the voice of the ones before. MOSS-TTS-Realtime reads
        while it speaks, a token with each frame, and begins after twelve tokens.

        Args:
            text: A str, or an iterable or asynchronous iterable of its deltas. A plain iterable is
                drawn from on a thread, so it may block. None: text is pushed into the stream.
            voice: Whose voice to speak with: the name of one of `voices`, a `Voice`, or a recording to
                encode first. None leaves it to the model.
            options: How to speak.

        Raises:
            SynthesizerClosed: The synthesizer is closed.
            ConfigError: `options` ask for more codebooks than the model has, or for what it does not know.
            AudioError: `voice` was encoded for another model.

        The stream itself raises TextError (nothing to say, or too much), AudioError (the recording
        cannot be used), Overloaded, NoAudio, EngineError, SynthesizerClosed, and what `text` raises.
        """
        complete = self._complete(options)
        script = Incremental(complete) if self.info.is_incremental else Segmented(complete)
        return self._stream(text, self._find(voice), complete, script)

    def conversation(
        self, *, voice: Voice | Reference | None = None, options: SynthesisOptions | None = None
    ) -> Conversation:
        """Return a conversation: turns that go on in the voice and manner of the ones before.

        Args: as for `stream`; they hold for all turns.

        Raises: what `stream` raises.
        """
        complete = self._complete(options)
        self._check(complete)
        found = self._find(voice)
        if not self.info.is_incremental:
            history = History(complete.history_s)
            return Conversation(
                lambda text: self._stream(text, found, complete, Segmented(complete, history))
            )
        dialogue = Dialogue()

        async def hear(text: str, audio: Reference | None) -> None:
            codes = None if audio is None else await self._encode_speech(audio)
            dialogue.heard(text, codes)

        return Conversation(
            lambda text: self._stream(text, found, complete, Incremental(complete, dialogue)), hear
        )

    async def _encode_speech(self, audio: Reference) -> Codes:
        if self._worker.is_closed:
            raise SynthesizerClosed(CLOSED)
        samples = await asyncio.to_thread(load_speech, audio, self.info.sample_rate, self.info.channels)
        return await asyncio.to_thread(self._worker.encode, samples)

    def _complete(self, options: SynthesisOptions | None) -> SynthesisOptions:
        """Return options that say how much is carried from segment to segment."""
        options = options or SynthesisOptions()
        return options if options.history_s is not None else options.replace(history_s=self.info.history_s)

    def _stream(
        self,
        text: Text | None,
        voice: Callable[[], Awaitable[Voice | None]],
        options: SynthesisOptions,
        script: Script,
    ) -> SynthesisStream:
        self._check(options)
        return SynthesisStream(self._worker, text, options, self._options.max_lead_ms, voice, script)

    def _check(self, options: SynthesisOptions) -> None:
        if self._worker.is_closed:
            raise SynthesizerClosed(CLOSED)
        check_options(options, self.info)

    def _find(self, voice: Voice | Reference | None) -> Callable[[], Awaitable[Voice | None]]:
        if isinstance(voice, str):
            voice = self.voices.get(voice, voice)
        if isinstance(voice, Voice):
            check_voice(voice, self.info)

        async def found() -> Voice | None:
            if voice is None or isinstance(voice, Voice):
                return voice
            if isinstance(voice, str) and not await asyncio.to_thread(os.path.isfile, voice):
                names = ", ".join(self.voices) or "none"
                raise AudioError(
                    f"There is no file {quoted(voice)}, nor a voice of that name. Give the path of a "
                    f"recording, or a voice of this model: {names}."
                )
            return await self.encode_voice(voice)

        return found

    async def say(
        self, text: Text, *, voice: Voice | Reference | None = None, options: SynthesisOptions | None = None
    ) -> Audio:
        """Speak `text` and return the whole recording. Raises what `stream` and the stream raise."""
        chunks = [chunk.samples async for chunk in self.stream(text, voice=voice, options=options)]
        return Audio(np.concatenate(chunks), self.info.sample_rate)

    async def encode_voice(self, reference: Reference) -> Voice:
        """Encode a recording once, to speak with it many times; what speaks meanwhile is not held up.

        Args:
            reference: 0.5 to 60 s of one person speaking (5 to 20 s are best): a path, the bytes of
                a sound file, or `Audio`.

        Raises:
            AudioError: The recording cannot be used.
            SynthesizerClosed: The synthesizer is closed.
        """
        if self._worker.is_closed:
            raise SynthesizerClosed(CLOSED)
        return await self._voice_cache.get(reference)

    async def close(self, drain: bool = False, *, drain_s: float = DRAIN_S) -> None:
        """Free the model. May be called again.

        Args:
            drain: Let streams that are not over come to their ends first; otherwise they end with
                SynthesizerClosed. New ones are refused at once.
            drain_s: For how long at most, in seconds: a stream whose text nobody ends has no end. What is not
                over by then ends with SynthesizerClosed, too.

        Raises:
            ConfigError: `drain_s` is negative, or no number.
        """
        if not drain_s >= 0:
            raise ConfigError(f"drain_s={drain_s}: give seconds, 0 or more.")
        await self._worker.close(drain_s if drain else 0.0)
