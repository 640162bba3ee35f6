"""Pipecat: speech made in the pipeline's own process, without a server (extra: pipecat)."""

from __future__ import annotations

import asyncio
import contextlib
import copy
import time
from collections.abc import AsyncGenerator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from moss_stream.adapters.playout import Playout, PlayoutPart
from moss_stream.adapters.reply import Reply, SpokenPart

from moss_stream import (
    ConfigError,
    Conversation,
    DeviceFailed,
    MissingDependency,
    MossError,
    Overloaded,
    StreamingSynthesizer,
    SynthesisOptions,
    SynthesizerClosed,
    TextError,
    Voice,
)
from moss_stream.languages import language_name

try:
    from pipecat.frames.frames import (
        CancelFrame,
        EndFrame,
        Frame,
        InterruptionFrame,
        TTSAudioRawFrame,
        TTSStoppedFrame,
    )
    from pipecat.processors.frame_processor import FrameDirection
    from pipecat.services.settings import TTSSettings
    from pipecat.services.tts_service import TextAggregationMode, TTSService
    from pipecat.transcriptions.language import Language
    from pipecat.utils.errors import ErrorCategory
    from pipecat.utils.types import NOT_GIVEN, NotGiven
except ImportError as error:
    raise MissingDependency("Pipecat is not installed", "pipecat") from error

__all__ = ["MossTTSService", "MossTTSSettings"]

QUIET_S = 3600.0
"""After which Pipecat gives up a context that nothing comes for. Ours end when their streams do, which wait
as long as it takes for a language model or a slot."""


@dataclass
class MossTTSSettings(TTSSettings):
    """What can be changed while a pipeline runs, from the next reply on; see `SynthesisOptions`.

    `voice` is a name of `StreamingSynthesizer.voices`, a `Voice`, or the path of a recording or of a saved
    voice. `language` is a code or a name. `model` cannot be changed.
    """

    voice: Voice | str | None | NotGiven = field(default_factory=lambda: NOT_GIVEN)
    instruction: str | None | NotGiven = field(default_factory=lambda: NOT_GIVEN)
    seed: int | NotGiven = field(default_factory=lambda: NOT_GIVEN)
    n_vq: int | None | NotGiven = field(default_factory=lambda: NOT_GIVEN)


@dataclass(frozen=True, slots=True)
class _OpenReply:
    reply: Reply
    played: PlayoutPart
    task: asyncio.Task[None]


class MossTTSService(TTSService):
    """Speaks a pipeline's text with a synthesizer in the same process.

    Text goes to the model token by token, as the language model writes it; every reply goes on in the voice
    and manner of the ones before (`Conversation`). A word is added to the context when it has been spoken to
    its end. An interruption stops the model within a frame. The audio has the pipeline's rate.

    Args:
        synth: Who speaks; it may be shared by many pipelines, and is closed by whoever loaded it.
        settings: What can be changed later; what is not given comes from `options`.
        options: How to speak.
        arguments: Of `TTSService`, such as `sample_rate` (Hz; None: the pipeline's).

    Raises:
        ConfigError: The model cannot do what the options or settings ask for.
        AudioError: The voice was encoded for another model.
        SynthesizerClosed: The synthesizer is closed.
    """

    Settings = MossTTSSettings
    _settings: MossTTSSettings

    def __init__(
        self,
        synth: StreamingSynthesizer,
        *,
        settings: MossTTSSettings | None = None,
        options: SynthesisOptions | None = None,
        **arguments: Any,
    ) -> None:
        self._synth = synth
        self._options = options or SynthesisOptions()
        complete = MossTTSSettings(
            model=synth.info.description,
            voice=None,
            language=self._options.language,
            instruction=self._options.instruction,
            seed=self._options.seed,
            n_vq=self._options.n_vq,
        )
        complete.apply_update(settings or MossTTSSettings())
        ours: dict[str, Any] = {
            "text_aggregation_mode": TextAggregationMode.TOKEN,
            "append_trailing_space": True,  # between sentences, if they are aggregated after all
            "push_text_frames": False,
            "push_start_frame": True,
            "stop_frame_timeout_s": QUIET_S,
            "max_consecutive_zero_audio_contexts": 0,  # the engine says itself when it has failed
        }
        super().__init__(settings=complete, **{**ours, **arguments})
        self._talk = self._conversation()
        self._playout = Playout(time.monotonic)
        self._replies: dict[str, _OpenReply] = {}
        self._turns: set[str] = set()
        """Contexts that get more text."""
        self._speaking = asyncio.Lock()

    def can_generate_metrics(self) -> bool:
        """Tell that there are metrics: time to first byte and to first audio, and usage."""
        return True

    @property
    def supports_processing_metrics(self) -> bool:
        """Whether synthesis ends when `run_tts` does: no, audio comes later."""
        return False

    def language_to_service_language(self, language: Language) -> str | None:
        """Return the name that the model's prompt has for a language."""
        return language_name(str(language))

    async def on_turn_context_created(self, context_id: str) -> None:
        """Note that more texts may come for the context."""
        self._turns.add(context_id)

    async def run_tts(self, text: str, context_id: str) -> AsyncGenerator[Frame | None, None]:
        """Give text to the context's stream; its audio comes from a task of its own."""
        await self.start_tts_usage_metrics(text)
        open_reply = self._replies.get(context_id) or self._begin(context_id)
        open_reply.reply.write(text)
        if context_id not in self._turns:  # nobody would end it
            open_reply.reply.end()
        yield None

    async def flush_audio(self, context_id: str | None = None) -> None:
        """End the context's text: its turn is complete."""
        if context_id is None:
            return
        self._turns.discard(context_id)
        if open_reply := self._replies.get(context_id):
            open_reply.reply.end()
        else:  # nothing is spoken any more: see `is_usable`
            await self.remove_audio_context(context_id)

    async def on_audio_context_interrupted(self, context_id: str) -> None:
        """Stop the engine, without holding up the interruption for the frame that it is at."""
        if open_reply := self._replies.pop(context_id, None):
            open_reply.task.cancel()
            self._playout.drop(open_reply.played)

    async def process_frame(self, frame: Frame, direction: FrameDirection) -> None:
        """Process a frame; see `TTSService`."""
        await super().process_frame(frame, direction)
        if isinstance(frame, InterruptionFrame):
            self._turns.clear()
            for context_id, open_reply in list(self._replies.items()):
                if open_reply.task.done():  # all of it was on its way to the listener, and is dropped there
                    await open_reply.reply.cancel()
                    self._playout.drop(self._replies.pop(context_id).played)

    async def stop(self, frame: EndFrame) -> None:
        """End the texts that nobody has ended, speak to the end, and stop."""
        for context_id in self.get_audio_contexts():
            await self.flush_audio(context_id)
        await super().stop(frame)

    async def cancel(self, frame: CancelFrame) -> None:
        """Stop at once."""
        await self._stop_all()
        await super().cancel(frame)

    async def cleanup(self) -> None:
        """Leave nothing running."""
        await self._stop_all()
        await super().cleanup()

    async def _update_settings(self, delta: TTSSettings) -> dict[str, Any]:
        before = copy.copy(self._settings)
        changed: dict[str, Any] = await super()._update_settings(delta)
        try:
            await self._check_voice()
            if changed:
                self._talk = self._conversation()
        except MossError as error:
            self._settings.apply_update(before)
            await self._report(error)
            return {}
        if "model" in changed:
            self._settings.model = changed["model"]
            self._warn_unhandled_updated_settings(["model"])
        return changed

    async def _check_voice(self) -> None:
        voice = self._settings.voice
        if isinstance(voice, str) and voice not in self._synth.voices:
            if not await asyncio.to_thread(Path(voice).is_file):
                names = ", ".join(self._synth.voices) or "none"
                raise ConfigError(
                    f"There is no voice {voice[:80]!r}, nor a file of that name. Voices: {names}."
                )

    def _conversation(self) -> Conversation:
        settings = self._settings
        options = self._options.replace(
            language=language_name(settings.language),
            instruction=settings.instruction,
            seed=settings.seed,
            n_vq=settings.n_vq,
        )
        return self._synth.conversation(voice=settings.voice, options=options)

    def _begin(self, context_id: str) -> _OpenReply:
        self._replies = {key: each for key, each in self._replies.items() if not each.played.is_over}
        played = self._playout.begin()
        reply = Reply(self._synth, self.sample_rate, played)
        task = self.create_task(self._speak(context_id, reply))
        self._replies[context_id] = _OpenReply(reply, played, task)
        return self._replies[context_id]

    async def _speak(self, context_id: str, reply: Reply) -> None:
        try:
            async with self._speaking, contextlib.aclosing(reply.speak(self._talk.stream)) as parts:
                async for part in parts:
                    await self._hand_on(context_id, part)
        except MossError as error:
            await self._report(error)
        await self.append_to_audio_context(context_id, TTSStoppedFrame(context_id=context_id))
        await self.remove_audio_context(context_id)

    async def _hand_on(self, context_id: str, part: SpokenPart) -> None:
        if part.pcm:
            frame = TTSAudioRawFrame(part.pcm, self.sample_rate, 1, context_id=context_id)
            await self.append_to_audio_context(context_id, frame)
        for word in part.words:
            timed = [(word.text.strip(), word.end_s)]
            await self.add_word_timestamps(timed, context_id, includes_inter_frame_spaces=not word.is_spaced)

    async def _stop_all(self) -> None:
        for open_reply in self._replies.values():
            await self.cancel_task(open_reply.task)
        self._replies.clear()

    async def _report(self, error: MossError) -> None:
        is_permanent = isinstance(error, DeviceFailed | SynthesizerClosed)
        is_input = isinstance(error, TextError | ValueError)
        category = ErrorCategory.APPLICATION if is_input else ErrorCategory.SERVER
        if isinstance(error, Overloaded):
            category = ErrorCategory.RATE_LIMIT
        await self.push_error(
            str(error), exception=error, category=category, force_treat_as_permanent=is_permanent
        )
