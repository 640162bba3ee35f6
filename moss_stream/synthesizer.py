"""The synthesizer: a model on a device, and the streams it speaks."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np

from moss_stream.audio import FRAME_S, Audio
from moss_stream.cast import Cast
from moss_stream.config import AUDITION, MAX_SOUND_S, EngineOptions, SynthesisOptions
from moss_stream.conversation import Conversation
from moss_stream.embedded import EMBEDDED_NOTE, embedded_model
from moss_stream.engine.protocol import Engine, EngineInfo
from moss_stream.engine.worker import CLOSED, Worker
from moss_stream.engine_metrics import EngineMetrics
from moss_stream.errors import ConfigError, SynthesizerClosed
from moss_stream.families.family import find
from moss_stream.hub import codec_of, locate
from moss_stream.lines import Line, Lines, LinesCast, tagged
from moss_stream.option_checks import check_description, check_options, check_use
from moss_stream.stream import SynthesisStream
from moss_stream.text.dialogue import Dialogue
from moss_stream.text.history import History
from moss_stream.text.incremental import Incremental
from moss_stream.text.lexicon import Lexicon
from moss_stream.text.message import Codes
from moss_stream.text.script import Script
from moss_stream.text.segmented import Segmented
from moss_stream.text.sound_script import SoundScript
from moss_stream.text.spoken_lines import SpokenLines
from moss_stream.text_source import Text
from moss_stream.uses import Use
from moss_stream.voice_cache import VoiceCache
from moss_stream.voice_finder import VoiceFinder
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
        lexicon: How words are pronounced in streams that have no lexicon of their own.
    """

    def __init__(
        self, worker: Worker, info: EngineInfo, options: EngineOptions, lexicon: Lexicon | None = None
    ) -> None:
        self._worker = worker
        self.lexicon = lexicon
        self._options = options
        self._voice_cache = VoiceCache(
            worker.encode,
            options.voice_cache,
            options.voice_folder,
            info.sample_rate,
            info.channels,
            info.codec_codebooks or info.num_codebooks,
        )
        self._voice_finder = VoiceFinder(info, self.encode_voice)
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
        lexicon: Lexicon | None = None,
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
            lexicon: How words are pronounced in all streams that have no lexicon of their own.

        Raises:
            LoadError: A checkpoint cannot be loaded; see `moss_stream.errors` for the kinds.
            ConfigError: There is no such device or dtype, or the model cannot read how the lexicon gives a
                word.
        """
        settings = options or EngineOptions()

        def make() -> Engine:
            from moss_stream.engine.load import load_engine

            folder = embedded_model() if model is None else locate(model, revision, offline)
            if model is None:
                logger.info(EMBEDDED_NOTE)
            # Before its codec is downloaded: a checkpoint of another model, or none at all.
            usual = find(folder).codec.repository
            return load_engine(
                folder, locate(codec or codec_of(folder, usual), None, offline), device, dtype, settings
            )

        worker = Worker(make, settings.max_queue, settings.max_queue_s)
        synth = cls(worker, await worker.start(), settings, lexicon)
        try:
            check_options(SynthesisOptions(lexicon=lexicon), synth.info)
        except ConfigError:
            await synth.close()
            raise
        return synth

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
            voice: Whose voice to speak with: the name of one of `voices`, a `Voice`, a file that `save_voice`
                wrote, or a recording to encode first. None leaves it to the model.
            options: How to speak.

        Raises:
            SynthesizerClosed: The synthesizer is closed.
            ConfigError: `options` ask for more codebooks than the model has, or for what it does not know.
            AudioError: `voice` was encoded for another model.

        The stream itself raises TextError (nothing to say, or too much), AudioError (the recording
        cannot be used), Overloaded, NoAudio, EngineError, SynthesizerClosed, and what `text` raises.
        """
        check_use(Use.SPEECH, self.info)
        complete = self._complete(options)
        script = Incremental(complete) if self.info.is_incremental else Segmented(complete)
        return self._stream(text, self._alone(voice), complete, script)

    def dialogue(
        self,
        lines: Lines | None = None,
        *,
        voices: Mapping[str, Voice | Reference | None] | None = None,
        prefix: Sequence[Line] = (),
        options: SynthesisOptions | None = None,
    ) -> SynthesisStream:
        """Speak a dialogue of up to five speakers, as it is written: `chunk.speaker` says who speaks.

        Args:
            lines: Lines, or text with tags ("[S1] Hello. [S2] Hi!"): whole, or as an iterable or asynchronous
                iterable of lines or deltas. None: text with tags is pushed into the stream.
            voices: The voice of each speaker, as for `stream`, by "S1" to "S5"; None leaves one to the model.
                Without it whoever is named speaks, with a voice of the model's choice.
            prefix: Lines that were spoken already, with their recordings: the dialogue goes on in their
                manner, and whoever has no other voice with theirs.
            options: How to speak; not `tokens`.

        Raises:
            ConfigError: The model was not trained for dialogues, there is no such speaker, a line of the
                prefix has no audio, or what `stream` raises.
            AudioError: A voice was encoded for another model.
            SynthesizerClosed: The synthesizer is closed.

        The stream itself raises what others do, and TextError if somebody speaks who is not in `voices`.
        """
        check_use(Use.DIALOGUE, self.info)
        complete = self._complete(options)
        if complete.tokens is not None:
            raise ConfigError("`tokens` is the length of one text. Leave it out for a dialogue.")
        history = History(complete.history_s)
        cast = LinesCast(self._voice_finder, voices, prefix, history)
        script = SpokenLines(complete, history, cast.speakers)
        return self._stream(tagged(lines), cast, complete, script)

    def sound(
        self, description: str, *, seconds: float = 5.0, options: SynthesisOptions | None = None
    ) -> SynthesisStream:
        """Make a sound; iterate the result for 80 ms at a time.

        Args:
            description: Such as "rain on a tin roof", at most 2,000 characters.
            seconds: About how long it is, 0.08 to 120.
            options: `sampling`, `seed`, `n_vq` and `first_n_vq` count.

        Raises:
            ConfigError: The model was not trained for sounds, or a value is out of bounds.
            SynthesizerClosed: The synthesizer is closed.
        """
        check_use(Use.SOUND, self.info)
        check_description(description)
        if not FRAME_S <= seconds <= MAX_SOUND_S:
            raise ConfigError(f"seconds={seconds}: a sound is {FRAME_S} to {MAX_SOUND_S:.0f} s long.")
        complete = self._complete(options).replace(tokens=round(seconds / FRAME_S), lexicon=None)
        return self._stream(description, self._alone(None), complete, SoundScript(complete))

    async def design_voice(
        self,
        description: str,
        *,
        text: str = AUDITION,
        seed: int = 0,
        options: SynthesisOptions | None = None,
    ) -> Voice:
        """Make up a voice; with another seed the same words describe another one.

        It can be used with every model that has the same codec, and kept in a file (`save_voice`). What it
        said is in its `audition`, as long as it lives.

        Args:
            description: Such as "A calm, low voice of an old man", at most 2,000 characters.
            text: What it says to be known by: some sentences, in the language that it will speak.
            seed: Of the candidate.
            options: How it speaks.

        Raises:
            ConfigError: The model was not trained for it, or the description is too long or empty.
            AudioError: What was spoken is too short, or silent: give a longer text or another seed.
            SynthesizerClosed: The synthesizer is closed.
            StreamError: What speaking raises.
        """
        check_use(Use.VOICE_DESIGN, self.info)
        check_description(description)
        wanted = (options or SynthesisOptions()).replace(instruction=description, seed=seed)
        audition = await self.say(text, options=wanted)
        voice = await self.encode_voice(audition)
        return replace(voice, description=description, audition=audition)

    def conversation(
        self, *, voice: Voice | Reference | None = None, options: SynthesisOptions | None = None
    ) -> Conversation:
        """Return a conversation: turns that go on in the voice and manner of the ones before.

        Args: as for `stream`; they hold for all turns.

        Raises: what `stream` raises.
        """
        check_use(Use.SPEECH, self.info)
        complete = self._complete(options)
        self._check(complete)
        found = self._alone(voice)
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
        codes = await asyncio.to_thread(self._worker.encode, samples)
        return codes[:, : self.info.num_codebooks]

    def _alone(self, voice: Voice | Reference | None) -> Callable[[], Awaitable[Cast]]:
        find = self._voice_finder.find(voice)

        async def cast() -> Cast:
            return Cast.alone(await find())

        return cast

    def _complete(self, options: SynthesisOptions | None) -> SynthesisOptions:
        """Return options that say what the synthesizer knows: its history, and how words are pronounced."""
        options = options or SynthesisOptions()
        known = {"history_s": self.info.history_s, "lexicon": self.lexicon}
        return options.replace(**{name: known[name] for name in known if getattr(options, name) is None})

    def _stream(
        self,
        text: Text | None,
        cast: Callable[[], Awaitable[Cast]],
        options: SynthesisOptions,
        script: Script,
    ) -> SynthesisStream:
        self._check(options)
        return SynthesisStream(self._worker, text, options, self._options.max_lead_ms, cast, script)

    def _check(self, options: SynthesisOptions) -> None:
        if self._worker.is_closed:
            raise SynthesizerClosed(CLOSED)
        check_options(options, self.info)

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
