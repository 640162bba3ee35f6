"""The synthesizer, for code that does not use asyncio."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from moss_stream.audio import Audio
from moss_stream.config import AUDITION, EngineOptions, SynthesisOptions
from moss_stream.engine.protocol import EngineInfo
from moss_stream.engine_metrics import EngineMetrics
from moss_stream.errors import SynthesizerClosed
from moss_stream.lines import Line, Lines
from moss_stream.stream import SynthesisStream
from moss_stream.sync.conversation import SyncConversation
from moss_stream.sync.loop_thread import LoopThread
from moss_stream.sync.stream import SyncStream
from moss_stream.synthesizer import DRAIN_S, StreamingSynthesizer
from moss_stream.text.lexicon import Lexicon
from moss_stream.text_source import Text
from moss_stream.voices import Reference, Voice

__all__ = ["SyncSynthesizer", "load"]


def load(
    model: str | Path | None = None,
    *,
    codec: str | Path | None = None,
    device: str = "auto",
    dtype: str = "auto",
    revision: str | None = None,
    offline: bool = False,
    options: EngineOptions | None = None,
    lexicon: Lexicon | None = None,
) -> SyncSynthesizer:
    """Load a model and its codec; close the result, or use it in `with`.

    Args and errors are those of `StreamingSynthesizer.load`.
    """
    loop = LoopThread()
    try:
        loading = StreamingSynthesizer.load(
            model,
            codec=codec,
            device=device,
            dtype=dtype,
            revision=revision,
            offline=offline,
            options=options,
            lexicon=lexicon,
        )
        return SyncSynthesizer(loop, loop.call(loading))
    except BaseException:
        loop.close()
        raise


class SyncSynthesizer:
    """Speaks text while it is being written: generators in, iterators out.

    What its methods take, return and raise is told by those of the same name of `StreamingSynthesizer`. They
    may be called on several threads at once. Ctrl-C interrupts whatever waits, and stops it.

    Made by `load`.

    Args:
        loop: The thread that `synth` lives on; closed with it.
        synth: What is wrapped.
    """

    def __init__(self, loop: LoopThread, synth: StreamingSynthesizer) -> None:
        self._loop = loop
        self._synth = synth

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def info(self) -> EngineInfo:
        """The model that is loaded, where, its codebooks, and the rate and channels of its audio."""
        return self._synth.info

    @property
    def voices(self) -> Mapping[str, Voice]:
        """The voices that come with the model, by name."""
        return self._synth.voices

    @property
    def is_ready(self) -> bool:
        """Whether streams are taken and spoken at once."""
        return self._synth.is_ready

    @property
    def metrics(self) -> EngineMetrics:
        """What was counted of all streams until now."""
        return self._synth.metrics

    def warmup(self, n_vq: int | None = None) -> None:
        """Capture all CUDA graphs now instead of on first use."""
        self._loop.call(self._synth.warmup(n_vq))

    def stream(
        self,
        text: Text | None = None,
        *,
        voice: Voice | Reference | None = None,
        options: SynthesisOptions | None = None,
    ) -> SyncStream:
        """Speak `text`, a str or an iterable of deltas; iterate the result for 80 ms of audio at a time."""
        return self._made(self._synth.stream(text, voice=voice, options=options))

    def say(
        self, text: Text, *, voice: Voice | Reference | None = None, options: SynthesisOptions | None = None
    ) -> Audio:
        """Speak `text` and return the whole recording; a notebook shows it as a player."""
        return self._loop.call(self._synth.say(text, voice=voice, options=options))

    def dialogue(
        self,
        lines: Lines | None = None,
        *,
        voices: Mapping[str, Voice | Reference | None] | None = None,
        prefix: Sequence[Line] = (),
        options: SynthesisOptions | None = None,
    ) -> SyncStream:
        """Speak a dialogue of up to five speakers, as it is written."""
        return self._made(self._synth.dialogue(lines, voices=voices, prefix=prefix, options=options))

    def sound(
        self, description: str, *, seconds: float = 5.0, options: SynthesisOptions | None = None
    ) -> SyncStream:
        """Make a sound; iterate the result for 80 ms at a time."""
        return self._made(self._synth.sound(description, seconds=seconds, options=options))

    def design_voice(
        self,
        description: str,
        *,
        text: str = AUDITION,
        seed: int = 0,
        options: SynthesisOptions | None = None,
    ) -> Voice:
        """Make up a voice from a description."""
        return self._loop.call(self._synth.design_voice(description, text=text, seed=seed, options=options))

    def encode_voice(self, reference: Reference) -> Voice:
        """Encode a recording once, to speak with it many times."""
        return self._loop.call(self._synth.encode_voice(reference))

    def conversation(
        self, *, voice: Voice | Reference | None = None, options: SynthesisOptions | None = None
    ) -> SyncConversation:
        """Return a conversation: turns that go on in the voice and manner of the ones before."""
        return SyncConversation(self._loop, self._synth.conversation(voice=voice, options=options))

    def close(self, drain: bool = False, *, drain_s: float = DRAIN_S) -> None:
        """Free the model. May be called again."""
        try:
            self._loop.call(self._synth.close(drain, drain_s=drain_s))
        except SynthesizerClosed:  # it was closed before, and its loop with it
            pass
        self._loop.close()

    def _made(self, stream: SynthesisStream) -> SyncStream:
        return SyncStream(self._loop, stream)
