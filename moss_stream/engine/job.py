"""One stream on the engine's thread: what to do next, one small step at a time. No torch."""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable

from moss_stream.audio import FRAME_S, SAMPLE_RATE_HZ, AudioChunk
from moss_stream.config import SynthesisOptions
from moss_stream.engine.channel import Channel
from moss_stream.engine.protocol import Engine
from moss_stream.errors import EngineError, MossError, NoAudio, TextError
from moss_stream.text.prompt import Codes, Message
from moss_stream.text.segmenter import is_speakable
from moss_stream.text.turn import Turn

__all__ = ["SpeechJob", "as_moss_error"]

logger = logging.getLogger("moss_stream.engine")

MAX_ATTEMPTS = 5
"""How often a segment is begun when the model ends it before its first frame."""


class SpeechJob:
    """Segments in, frames out.

    The consumer's side calls `say`, `end`, `fail`; the engine's thread calls `advance`. Segments
    pass through a deque, which needs no lock for one writer and one reader.

    Args:
        options: Of the stream.
        channel: Where the chunks go; closing it ends the job.
        on_begin: Called on the consumer's loop when a segment was taken from the queue.
    """

    def __init__(self, options: SynthesisOptions, channel: Channel, on_begin: Callable[[], None]) -> None:
        self._options = options
        self._channel = channel
        self._on_begin = on_begin
        self._segments: deque[str | None] = deque()
        self._turn: Turn | None = None
        self._voice: Codes | None = None
        self._prompt: tuple[Message, Codes | None] | None = None
        self._attempts_left = 0
        self._frames_left = 0
        self._num_chunks = 0
        self.is_over = False

    @property
    def is_abandoned(self) -> bool:
        """Whether the consumer has gone, or the stream has failed."""
        return self._channel.is_closed or self.is_over

    @property
    def num_waiting(self) -> int:
        """Segments that are not begun yet."""
        return len(self._segments)

    def set_voice(self, voice: Codes) -> None:
        """Clone a voice; before the first segment."""
        self._voice = voice

    def say(self, segment: str) -> None:
        """Queue a segment."""
        self._segments.append(segment)

    def end(self) -> None:
        """Say that no segment comes any more."""
        self._segments.append(None)

    def fail(self, error: BaseException) -> None:
        """End the stream with `error`. From any thread."""
        self.is_over = True
        self._channel.finish(error)

    def finish(self) -> None:
        """End the stream. From the engine's thread."""
        self.is_over = True
        self._channel.finish()

    def advance(self, engine: Engine) -> bool:
        """Do the next step, a prefill or a frame; return whether there was one to do."""
        try:
            return self._advance(engine)
        except Exception as error:
            self.fail(as_moss_error(error))
            return True

    def _advance(self, engine: Engine) -> bool:
        if self.is_abandoned:
            self.finish()
            return True
        if self._frames_left:
            return self._channel.has_room and self._frame(engine)
        if not self._segments:
            return False
        segment = self._segments.popleft()
        self._channel.post(self._on_begin)
        if segment is None:
            self._end_of_stream()
        elif is_speakable(segment):
            self._begin(engine, segment)
        return True

    def _begin(self, engine: Engine, segment: str) -> None:
        if self._turn is None:
            engine.open(self._options)
            self._turn = Turn(self._options, self._voice)
        self._prompt = self._turn.begin(segment)
        self._attempts_left = MAX_ATTEMPTS
        self._attempt(engine)

    def _attempt(self, engine: Engine) -> None:
        assert self._turn is not None and self._prompt is not None
        self._attempts_left -= 1
        self._frames_left = min(engine.begin(*self._prompt), self._turn.max_frames())

    def _frame(self, engine: Engine) -> bool:
        assert self._turn is not None
        frame = engine.step()
        if frame.is_end:
            self._frames_left = 0
            if self._attempts_left:  # nothing was spoken: the random stream goes on, so it can go better
                self._attempt(engine)
            return True
        self._attempts_left = 0
        self._turn.add(frame.codes)
        self._put(frame.pcm, is_final=False)
        self._frames_left -= 1
        if self._frames_left == 0:
            logger.warning("A segment ran on longer than its text can need and was ended.")
        return True

    def _end_of_stream(self) -> None:
        if self._turn is None:
            raise TextError("There is nothing to say: the text holds no letter and no digit.")
        if self._num_chunks == 0:
            raise NoAudio("The model ended at once and spoke nothing. Try another seed or a longer text.")
        self._put(b"", is_final=True)
        self.finish()

    def _put(self, pcm: bytes, is_final: bool) -> None:
        duration_s = 0.0 if is_final else FRAME_S
        chunk = AudioChunk(
            pcm, SAMPLE_RATE_HZ, self._num_chunks, self._num_chunks * FRAME_S, duration_s, 0, is_final
        )
        self._channel.put(chunk)
        self._num_chunks += 1


def as_moss_error(error: Exception) -> MossError:
    """Return `error` if it is ours, else an `EngineError` caused by it."""
    if isinstance(error, MossError):
        return error
    logger.error("The engine failed.", exc_info=error)
    translated = EngineError(f"The engine failed ({type(error).__name__}: {error}). Other streams go on.")
    translated.__cause__ = error
    return translated
