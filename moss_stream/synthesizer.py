"""The synthesizer: a model on a device, and the streams it speaks."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np

from moss_stream.audio import Audio
from moss_stream.config import EngineOptions, SynthesisOptions
from moss_stream.embedded import EMBEDDED_NOTE, embedded_model
from moss_stream.engine.protocol import Engine, EngineInfo
from moss_stream.engine.worker import CLOSED, Worker
from moss_stream.errors import AudioError, ConfigError, SynthesizerClosed
from moss_stream.hub import codec_of, locate, read_json
from moss_stream.models.config import LocalConfig
from moss_stream.stream import SynthesisStream, Text
from moss_stream.text.prompt import Codes
from moss_stream.voices import Reference, Voice, content_key, load_reference

__all__ = ["StreamingSynthesizer"]

logger = logging.getLogger("moss_stream")


class StreamingSynthesizer:
    """Speaks text while it is being written.

    Use it as an async context manager: `async with await StreamingSynthesizer.load(...) as synth`.

    Attributes:
        info: The model that is loaded, where, and how many codebooks it has.
    """

    def __init__(self, worker: Worker, info: EngineInfo, options: EngineOptions) -> None:
        self._worker = worker
        self._options = options
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
            model: A folder or hub repository id of a MossTTSLocal v1.0 checkpoint; None takes the voice
                that comes with the package, if this version has one.
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
            from moss_stream.engine.local import LocalEngine

            folder = embedded_model() if model is None else locate(model, revision, offline)
            if model is None:
                logger.info(EMBEDDED_NOTE)
            # Before its codec is downloaded: a checkpoint of another model, or none at all.
            LocalConfig.parse(read_json(folder, "config.json"), str(folder))
            return LocalEngine.load(
                folder, locate(codec or codec_of(folder), None, offline), device, dtype, settings
            )

        worker = Worker(make)
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

    def stream(
        self, text: Text, *, voice: Voice | Reference | None = None, options: SynthesisOptions | None = None
    ) -> SynthesisStream:
        """Speak `text`; iterate the result for 80 ms of audio at a time.

        MossTTSLocal reads a text before it speaks it, so the text is spoken segment by segment, a
        sentence or more each; every segment continues the voice of the ones before.

        Args:
            text: A str, or an iterable or asynchronous iterable of its deltas. A plain iterable is
                drawn from on a thread, so it may block.
            voice: Whose voice to speak with: the name of one of `voices`, a `Voice`, or a recording to
                encode first. None leaves it to the model.
            options: How to speak.

        Raises:
            SynthesizerClosed: The synthesizer is closed.
            ConfigError: `options` ask for more codebooks than the model has.
            AudioError: `voice` was encoded for another model.

        The stream itself raises TextError (nothing to say, or too much), AudioError (the recording
        cannot be used), NoAudio, EngineError, SynthesizerClosed, and what `text` raises.
        """
        if self._worker.is_closed:
            raise SynthesizerClosed(CLOSED)
        options = options or SynthesisOptions()
        if options.n_vq is not None and options.n_vq > self.info.num_codebooks:
            raise ConfigError(
                f"n_vq={options.n_vq}, but this model has {self.info.num_codebooks} codebooks. "
                f"Give 1 to {self.info.num_codebooks}, or None for all."
            )
        if isinstance(voice, str):
            voice = self.voices.get(voice, voice)
        if isinstance(voice, Voice) and voice.codes.shape[1] != self.info.num_codebooks:
            raise AudioError(
                f"The voice has {voice.codes.shape[1]} codebooks, this model {self.info.num_codebooks}: "
                "it was encoded for another model. Encode its recording again with this synthesizer."
            )

        async def codes() -> Codes | None:
            if voice is None:
                return None
            return (voice if isinstance(voice, Voice) else await self.encode_voice(voice)).codes

        return SynthesisStream(self._worker, text, options, self._options.max_lead_ms, codes)

    async def say(
        self, text: Text, *, voice: Voice | Reference | None = None, options: SynthesisOptions | None = None
    ) -> Audio:
        """Speak `text` and return the whole recording. Raises what `stream` and the stream raise."""
        chunks = [chunk.samples async for chunk in self.stream(text, voice=voice, options=options)]
        return Audio(np.concatenate(chunks))

    async def encode_voice(self, reference: Reference) -> Voice:
        """Encode a recording once, to speak with it many times.

        Args:
            reference: 0.5 to 60 s of one person speaking (5 to 20 s are best): a path, the bytes of
                a sound file, or `Audio`.

        Raises:
            AudioError: The recording cannot be used.
            SynthesizerClosed: The synthesizer is closed.
        """
        samples = await asyncio.to_thread(load_reference, reference)
        codes = await self._worker.call(lambda engine: engine.encode(samples))
        return Voice(codes, content_key(samples))

    async def close(self) -> None:
        """Free the model. Streams that are not over end with SynthesizerClosed. May be called again."""
        await self._worker.close()
