"""One stream on the engine's thread: text in, segments to the engine, frames to the channel. No torch."""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future

from moss_stream.audio import FRAME_S, AudioChunk, is_audible
from moss_stream.cast import Cast
from moss_stream.config import SynthesisOptions
from moss_stream.engine.channel import Channel
from moss_stream.engine.lead import Lead
from moss_stream.engine.prompts import Order
from moss_stream.engine.protocol import Engine, EngineInfo, Frame, FrameKind
from moss_stream.engine.scheduler import Candidate
from moss_stream.engine.segment_watch import SegmentWatch
from moss_stream.errors import EngineError, MossError
from moss_stream.metrics import StreamMeter
from moss_stream.text.duration import ALPHABETIC_S, estimate_s
from moss_stream.text.message import Prompt
from moss_stream.text.turn import Turn, TurnState

__all__ = ["SpeechJob", "as_moss_error"]

logger = logging.getLogger("moss_stream.engine")


class SpeechJob:
    """A turn, the slot it is spoken in, and the channel its audio goes to.

    The consumer's side calls `set_cast`, `feed`, `flush`, `end`, `break_off`: they are queued, for one
    writer and one reader, and done by the engine's thread, which calls everything else.

    Args:
        options: Of the stream.
        turn: What is said.
        channel: Where the chunks go; closing it ends the job.
        on_taken: Called on the consumer's loop when text was taken to be spoken.
        clock: Seconds, the same as the engine's.
    """

    def __init__(
        self,
        options: SynthesisOptions,
        turn: Turn,
        channel: Channel,
        on_taken: Callable[[], None],
        clock: Callable[[], float],
    ) -> None:
        self.options = options
        self.turn = turn
        self.channel = channel
        self.lead = Lead()
        self.meter = StreamMeter(clock(), [] if options.trace else None)
        self.slot: int | None = None
        self.rtf: float | None = None
        """Seconds that a second of audio is expected to take."""
        self.error: BaseException | None = None
        """Why the consumer's side wants it to end."""
        self.failure: BaseException | None = None
        """What it ended with."""
        self.is_over = False
        self._on_taken = on_taken
        self._clock = clock
        self._events: deque[Callable[[], None]] = deque()
        self._ordered: Future[Prompt] | None = None
        self._begun_s = self._ready_s = 0.0
        self._cast = Cast.alone(None)
        self._first_chunk = 0
        self._is_prefilling = False
        self._watch = SegmentWatch()
        self._num_chunks = 0
        self._flushes: deque[int] = deque()
        self._num_given = self._num_read = self._num_taken = 0

    def set_cast(self, cast: Cast) -> None:
        """Say in whose voices to speak; nothing is spoken before."""
        self._cast = cast
        self._events.append(lambda: self.turn.script.set_reference(cast.reference))

    def whole(self) -> None:
        """Say that all text is there already; before any is given."""
        self._events.append(self.turn.script.whole)

    def feed(self, written: str) -> None:
        """Give text, as it was written."""
        now_s = self._clock()
        self._num_given += len(written)
        self._events.append(lambda: self._feed(written, now_s))
        self.meter.text(now_s, len(written))

    def flush(self) -> None:
        """Let everything given so far be spoken now."""
        now_s = self._clock()
        self._events.append(lambda: self._flush(now_s))

    def end(self) -> None:
        """Say that no more text comes."""
        now_s = self._clock()
        self._events.append(lambda: self.turn.script.end(now_s))

    @property
    def num_waiting(self) -> int:
        """Characters that were given and are not begun. On any thread."""
        return self._num_given - self._num_taken

    def break_off(self, error: BaseException) -> None:
        """Ask for the end of the stream, because of `error`."""
        self.error = error

    def fail(self, error: BaseException) -> None:
        """End the stream with `error`. Never raises."""
        self.failure = error
        self._leave(self.turn.fail, error)

    def abandon(self) -> None:
        """End the stream, since nobody listens. Never raises."""
        self.meter.cancelled()
        self._leave(self.turn.cancel, None)

    def _leave(self, end_turn: Callable[[], None], error: BaseException | None) -> None:
        """Let go of everything, and tell whoever waits for audio, or to give more text."""
        self.is_over = True
        if self._ordered is not None:
            self._ordered.cancel()
        try:
            if not self.turn.state.is_over:
                end_turn()
        except Exception:  # what made it fail may have left it in any state
            logger.exception("A stream that ended could not clean up.")
        self.channel.finish(error)
        self.channel.post(self._on_taken)

    def poll(self, engine: Engine, order: Order, now_s: float) -> None:
        """Take in what was given; ask for the next segment's prompt, if it is time, and begin with it.

        Raises:
            MossError: The turn cannot go on.
        """
        while self._events:
            self._events.popleft()()
        self._note_flushed(engine.info, now_s)
        self._begin_ordered(engine)
        self._give_text(engine, now_s)
        if self.turn.state is not TurnState.WAITING or not self.has_room(now_s):
            return
        wanted = self.turn.next(now_s, self._lead_s(now_s))
        self._note_taken()
        if wanted is not None:
            self._ordered = order(wanted.message, wanted.prefix)
            self._begun_s, self._first_chunk = now_s, self._num_chunks
            self.meter.segment(now_s, len(self.turn.script.segment))
            self._begin_ordered(engine)
            self._give_text(engine, now_s)
        self._note_flushed(engine.info, now_s)
        if self._is_complete():
            self._put(self._empty(engine.info, self.turn.timeline.end(), is_final=True), now_s)
            self.is_over = True
            self.channel.finish()

    def _begin_ordered(self, engine: Engine) -> None:
        """Begin the segment whose prompt was asked for, if that is there by now."""
        if self._ordered is None or not self._ordered.done():
            return
        self._prompt, self._ordered = self._ordered.result(), None
        self._begin(engine)
        self.turn.begun(self._prompt, self._watch.room)

    def _begin(self, engine: Engine) -> None:
        """Begin with the prompt."""
        assert self.slot is not None
        self._is_prefilling = True
        gain = self._cast.gain(self.turn.script.speaker)
        self._watch.begin(engine.begin(self.slot, self._prompt, gain))

    def _give_text(self, engine: Engine, now_s: float) -> None:
        """Give an incremental model text, as far as it needs some before its next step."""
        if self._ordered is not None or self.slot is None or not self.turn.state.is_within:
            return
        while not engine.is_fed(self.slot):
            given = self.turn.more(now_s, self._lead_s(now_s))
            if given is None:
                if not self._is_prefilling:
                    self.turn.starve()
                return
            engine.give(self.slot, given.text, given.is_last)
            self._note_taken()
        if self.turn.fed():
            self._is_prefilling, self._begun_s = True, now_s

    def _is_complete(self) -> bool:
        """Whether `next` has just found that everything is said."""
        return self.turn.state is TurnState.DRAINING

    def candidate(self, now_s: float) -> Candidate | None:
        """Return what it needs of the engine; None if nothing."""
        state = self.turn.state
        if self.is_over or self.slot is None or state not in (TurnState.PREFILL, TurnState.SPEAKING):
            return None
        if self._ordered is not None:
            return None
        if state is TurnState.SPEAKING and not self.has_room(now_s):
            return None
        if self._num_chunks > 0:
            return Candidate(self.slot, state is TurnState.PREFILL, self.lead.seconds(now_s))
        held_s = now_s - self._ready_s if state is TurnState.SPEAKING else None
        return Candidate(self.slot, state is TurnState.PREFILL, self._begun_s - now_s, held_s)

    def wait_s(self, now_s: float) -> float | None:
        """Return in how many seconds time alone could give it something to do; None: never."""
        if self.is_over:
            return None
        lead_s = self.lead.seconds(now_s)
        if self.lead.played_s is not None and not self.has_room(now_s):
            return max(FRAME_S / 4, lead_s - self.channel.max_lead_s)
        waits_for_text = self.turn.state in (TurnState.WAITING, TurnState.STARVED)
        return self.turn.script.wait_s(now_s, max(0.0, lead_s)) if waits_for_text else None

    def _lead_s(self, now_s: float) -> float:
        return max(0.0, self.lead.seconds(now_s))

    def has_room(self, now_s: float) -> bool:
        """Whether the listener has less audio in hand than it should have."""
        if not self.channel.has_room:
            return False
        return self.lead.played_s is None or self.lead.seconds(now_s) < self.channel.max_lead_s

    def busy_s(self, rtf: float, now_s: float) -> float:
        """Return in about how many seconds its slot is free, as far as its text is known.

        Args:
            rtf: Seconds that a second of its audio takes.
            now_s: The time.
        """
        left_s = self.num_waiting * ALPHABETIC_S
        if self.turn.state.is_within:
            said_s = (self._num_chunks - self._first_chunk) * FRAME_S
            left_s += max(0.0, estimate_s(self.turn.script.segment) - said_s)
        if self.lead.played_s is None:
            return left_s * rtf
        # It is not made further ahead of its listener than the high mark.
        return max(left_s * rtf, left_s + self.lead.seconds(now_s) - self.channel.max_lead_s)

    def prefilled(self, is_last: bool, engine: Engine, start_s: float, end_s: float) -> None:
        """A chunk of the prompt is in the cache, perhaps the last one that is there."""
        self.meter.prefill(start_s, end_s)
        if not is_last:
            return
        assert self.slot is not None
        self._is_prefilling, self._ready_s = False, end_s
        if engine.is_fed(self.slot):
            self.turn.prefilled()
        else:
            self.turn.starve()

    def stepped(self, frame: Frame, engine: Engine, start_s: float, end_s: float) -> None:
        """Its next frame was made."""
        self.meter.step(start_s, end_s)
        self.frame(frame, engine, end_s)

    def frame(self, frame: Frame, engine: Engine, now_s: float) -> None:
        """Take a frame of the current segment, its end, or nothing yet."""
        if frame.is_whole:
            self.turn.keep(frame.codes)
        if frame.kind is FrameKind.AUDIO:
            self._hear(frame, engine.info, now_s)
        elif frame.kind is FrameKind.END or self._watch.mute():
            self._end_segment(engine)

    def _hear(self, frame: Frame, info: EngineInfo, now_s: float) -> None:
        has_sound = is_audible(frame.pcm)
        self.meter.expected_rtf = self.rtf
        self.meter.frame(now_s, FRAME_S, has_sound, self.lead.seconds(now_s))
        self._put(self._spoken(frame, info), now_s)
        self._num_chunks += 1
        script = self.turn.script
        if self._watch.heard(has_sound, script.max_frames(), script.is_silence_wanted):
            self.turn.end_segment()

    def _spoken(self, frame: Frame, info: EngineInfo) -> AudioChunk:
        begins_word = self.turn.timeline.begins_word()
        char_start, char_end = self.turn.add()
        return AudioChunk(
            frame.pcm,
            info.sample_rate,
            self._num_chunks,
            self._num_chunks * FRAME_S,
            FRAME_S,
            char_start=char_start,
            char_end=char_end,
            begins_word=begins_word,
            rtf=self.rtf or 0.0,
            left_s=self.turn.timeline.left_s(self.turn.script.num_waiting),
            channels=info.channels,
            speaker=self.turn.script.speaker,
        )

    def _end_segment(self, engine: Engine) -> None:
        assert self.slot is not None
        if self.turn.end_segment(engine.num_unread(self.slot)):
            self._begin(engine)  # nothing was spoken: the random stream goes on, so it can go better

    def _feed(self, written: str, now_s: float) -> None:
        self._num_read += len(written)
        self.turn.script.feed(written, now_s)

    def _flush(self, now_s: float) -> None:
        self.turn.script.flush(now_s)
        self._flushes.append(self.turn.script.num_readable)

    def _note_flushed(self, info: EngineInfo, now_s: float) -> None:
        """Say that what was flushed is spoken, once its last segment is over."""
        if self.turn.is_within or self.turn.state.is_over:
            return
        while self._flushes and self._flushes[0] <= self.turn.script.num_begun:
            self._flushes.popleft()
            end = self.turn.timeline.reached
            self._put(self._empty(info, (end, end), is_flush=True), now_s)

    def _empty(
        self, info: EngineInfo, chars: tuple[int, int], is_final: bool = False, is_flush: bool = False
    ) -> AudioChunk:
        rate, start_s = info.sample_rate, self._num_chunks * FRAME_S
        return AudioChunk(
            b"", rate, self._num_chunks, start_s, 0.0, is_final, *chars, is_flush, channels=info.channels
        )

    def _note_taken(self) -> None:
        # What is held back counts as taken: it is bounded, and may need the next text to be decided.
        taken = self._num_read - (self.turn.script.num_readable - self.turn.script.num_begun)
        if taken != self._num_taken:
            self._num_taken = taken
            self.channel.post(self._on_taken)

    def _put(self, chunk: AudioChunk, now_s: float) -> None:
        if chunk.pcm:
            self.lead.put(chunk.duration_s, now_s)
        self.channel.put(chunk)


def as_moss_error(error: BaseException) -> MossError:
    """Return `error` if it is ours, else an `EngineError` caused by it."""
    if isinstance(error, MossError):
        return error
    logger.error("The engine failed.", exc_info=error)
    translated = EngineError(f"The engine failed ({type(error).__name__}: {error}). Other streams go on.")
    translated.__cause__ = error
    return translated
