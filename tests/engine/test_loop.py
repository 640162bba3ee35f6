from __future__ import annotations

import random
from collections.abc import Sequence

import pytest
from fakes import FakeEngine
from virtual_time import Lab, Listener, give

from moss_stream.engine.protocol import Frame
from moss_stream.errors import DeviceFailed, EngineError, MossError, Overloaded, SinkError, TextError
from moss_stream.text.turn import TurnState

SENTENCE = "This is a sentence of average length. "


def done(*listeners: Listener) -> bool:
    return all(listener.is_done for listener in listeners)


async def test_streams_are_spoken_together() -> None:
    """Streams that have something to say advance in one batch, each with its own audio."""
    lab = Lab(FakeEngine(frames_per_segment=20))
    listeners = [lab.speak(SENTENCE) for _ in range(3)]
    await lab.run(5, lambda: done(*listeners))
    assert (0, 1, 2) in lab.engine.batches and lab.engine.num_steps < 50
    for listener in listeners:
        assert [chunk.samples[0] for chunk in listener.chunks[:-1]] == list(range(1, 21))
        assert listener.chunks[-1].is_final and listener.job.turn.state is TurnState.DRAINING
    assert lab.loop.num_active == 0


async def test_a_stream_waits_for_a_slot_and_too_many_are_refused() -> None:
    """First come, first served; who finds the queue full is told so, and nobody else is disturbed."""
    lab = Lab(FakeEngine(max_streams=2, frames_per_segment=5), max_queue=2)
    listeners = [lab.speak(SENTENCE) for _ in range(4)]
    await lab.tick()
    await lab.tick()
    late = lab.speak(SENTENCE)
    await lab.run(9, lambda: done(*listeners, late))
    assert isinstance(late.error, Overloaded) and late.chunks == []
    assert all(len(listener.chunks) == 6 for listener in listeners)


async def test_no_stream_joins_that_would_make_the_others_stutter() -> None:
    """A device on which 2 streams leave time for prompts speaks 2; the third waits until one is over."""
    lab = Lab(FakeEngine(max_streams=8, frames_per_segment=40), step_s=0.03)
    listeners = [lab.speak(SENTENCE) for _ in range(5)]
    await lab.run(60, lambda: done(*listeners))
    assert max(map(len, lab.engine.batches)) == 2  # 3 take 45 ms of 80
    assert done(*listeners) and all(listener.starved_s == 0 for listener in listeners)


@pytest.mark.parametrize("kind", ["prefill", "step"])
async def test_recording_a_graph_says_nothing_of_the_next_frame(kind: str) -> None:
    """Seconds that a graph took to record once are not taken for what a frame or a prompt costs."""
    lab = Lab(FakeEngine(max_streams=2, frames_per_segment=60))
    costs, carry_out = lab.loop.scheduler.costs, lab.engine.on_work
    assert carry_out is not None

    def work(what: str, count: int) -> None:
        carry_out(what, count)
        if what == kind and not lab.engine.captured_s:
            lab.now_s += 20.0
            lab.engine.captured_s = 20.0

    lab.engine.on_work = work
    listener = lab.speak(SENTENCE)
    await lab.run(22, lambda: len(listener.chunks) > 1)
    assert (costs.rtf(1) or 9.0) < 1.0 and costs.prefill_s < 1.0


async def test_a_device_that_is_too_slow_still_speaks_one_stream() -> None:
    """Slower than real time, streams come one after the other."""
    lab = Lab(FakeEngine(frames_per_segment=3), step_s=0.5)
    listeners = [lab.speak(SENTENCE) for _ in range(2)]
    await lab.run(60, lambda: done(*listeners))
    assert all(len(listener.chunks) == 4 for listener in listeners)
    assert max(map(len, lab.engine.batches)) == 1


async def test_a_long_prompt_never_makes_another_listener_wait() -> None:
    """Streams that speak go on without a gap while long prompts of new streams are read."""
    lab = Lab(FakeEngine(max_streams=4, frames_per_segment=200, prefill_chunks=20), prefill_s=0.06)
    first = lab.speak(SENTENCE)
    await lab.run(3, lambda: len(first.chunks) > 20)
    others = [lab.speak(SENTENCE) for _ in range(3)]
    await lab.run(60, lambda: done(first, *others))
    assert all(listener.starved_s == 0 for listener in [first, *others])


async def test_a_new_stream_does_not_starve_among_listeners_that_take_everything() -> None:
    """Readers that are faster than real time do not keep a prompt waiting for ever."""
    lab = Lab(FakeEngine(max_streams=4, frames_per_segment=300, prefill_chunks=5), step_s=0.03)
    busy = lab.speak(SENTENCE * 20, reports=False)
    await lab.run(2)
    new = lab.speak(SENTENCE, reports=False)
    await lab.run(12, lambda: bool(new.chunks))
    assert new.chunks and not busy.is_done


async def test_a_listener_that_stops_reading_halts_its_own_stream_only() -> None:
    """It is spoken to up to the high mark and no further; the others go on."""
    lab = Lab(FakeEngine(frames_per_segment=90))
    stuck, other = lab.speak(SENTENCE, max_lead_ms=800, reports=False), lab.speak(SENTENCE)
    stuck.is_reading = False
    await lab.run(20, lambda: other.is_done)
    assert len(other.chunks) == 91 and lab.loop.num_active == 1
    stuck.is_reading = True
    await lab.tick()
    assert 0.8 <= sum(chunk.duration_s for chunk in stuck.chunks) <= 0.96
    await lab.run(20, lambda: stuck.is_done)
    assert len(stuck.chunks) == 91


@pytest.mark.parametrize("pause_s", [0.0, 3.0])
async def test_a_stalled_text_is_spoken_before_the_listener_runs_dry(pause_s: float) -> None:
    """When a language model stops in mid-sentence, the words that are there are spoken."""
    lab = Lab(FakeEngine(frames_per_segment=25))
    listener = lab.speak()
    for word in "Of course, I would say that this depends on".split():
        give(listener.job, word + " ")
        await lab.run(0.05)
    assert listener.chunks, "the first clause is spoken while the rest is written"
    await lab.run(pause_s)
    if pause_s:
        assert len(listener.chunks) == 2 * 25 and listener.starved_s == 0
        spoken = listener.job.turn.timeline.spoken(4.0)
        assert spoken.text == "Of course, I would say that this depends on" and spoken.exact
    give(listener.job, "the weather. ")
    listener.job.end()
    await lab.run(20, lambda: listener.is_done)
    assert listener.chunks[-1].char_end == len(listener.job.turn.timeline.written)


@pytest.mark.parametrize("frame", range(52))
async def test_a_cancelled_stream_frees_its_slot_within_a_frame(frame: int) -> None:
    """Wherever it is: nothing comes afterwards, others are spoken, and the heard text is a prefix."""
    lab = Lab(FakeEngine(frames_per_segment=25, max_streams=1))
    text = SENTENCE + "This is another one, a little longer, which is not joined to it. " * 3
    listener, other = lab.speak(text), lab.speak(SENTENCE)
    await lab.run(30, lambda: len(listener.chunks) >= frame)
    before, steps = len(listener.chunks), lab.engine.num_steps
    heard_s = listener.position_s()
    listener.job.channel.close()
    await lab.run(9, lambda: done(listener, other))
    assert len(listener.chunks) == before and listener.is_done
    assert len(other.chunks) == 26
    assert lab.engine.num_steps - steps <= 1 + 26
    spoken = listener.job.turn.timeline.spoken(heard_s)
    assert text.startswith(spoken.text) and len(spoken.text) == spoken.char_end
    assert listener.job.turn.state in (TurnState.CANCELLED, TurnState.DRAINING)


async def test_bad_input_fails_its_own_stream_only() -> None:
    """A text the engine refuses, and one without a word, are their own streams' errors."""
    lab = Lab(FakeEngine(refuse="bad", frames_per_segment=5))
    good, bad, empty = lab.speak(SENTENCE), lab.speak("A bad one."), lab.speak("... !")
    await lab.run(9, lambda: done(good, bad, empty))
    assert isinstance(bad.error, TextError) and isinstance(empty.error, TextError)
    assert len(good.chunks) == 6 and lab.loop.num_active == 0
    assert bad.job.turn.state is TurnState.FAILED


async def test_a_failing_device_fails_every_stream_and_all_that_follow() -> None:
    """All get one typed error that says to load again."""
    lab = Lab(FakeEngine(fail_at=10, max_streams=2, frames_per_segment=50))
    listeners = [lab.speak(SENTENCE) for _ in range(3)]
    await lab.run(9, lambda: done(*listeners))
    assert all(isinstance(listener.error, DeviceFailed) for listener in listeners)
    assert len(listeners[0].chunks) > 0 == lab.loop.num_active
    late = lab.speak(SENTENCE)
    await lab.run(1, lambda: late.is_done)
    assert isinstance(late.error, DeviceFailed) and "load again" in str(late.error)


@pytest.mark.parametrize("seed", range(5))
async def test_every_stream_ends_in_exactly_one_state(seed: int) -> None:
    """Random joins, cancels, bad texts and readers that stop: nothing is stuck, no slot is lost."""
    choose = random.Random(seed)
    lab = Lab(FakeEngine(max_streams=3, frames_per_segment=12, refuse="bad", prefill_chunks=2), max_queue=4)
    open_ends: list[Listener] = []
    for _ in range(300):
        kind = choose.random()
        if kind < 0.25:
            text = choose.choice([SENTENCE, SENTENCE * 3, "bad", "...", "No."])
            lab.speak(text, reports=choose.random() < 0.5)
        elif kind < 0.35:
            open_ends.append(lab.speak())
        elif kind < 0.6 and open_ends:
            listener = choose.choice(open_ends)
            give(listener.job, choose.choice(["Some words ", "and, more. ", "x"]))
            if choose.random() < 0.3:
                listener.job.end()
                open_ends.remove(listener)
        elif kind < 0.75 and lab.listeners:
            choose.choice(lab.listeners).job.channel.close()
        elif kind < 0.8 and lab.listeners:
            listener = choose.choice(lab.listeners)
            listener.is_reading = not listener.is_reading
        await lab.run(choose.random() / 4)
    for listener in lab.listeners:
        listener.is_reading = True
        if listener in open_ends:
            listener.job.channel.close()
    await lab.run(60, lambda: done(*lab.listeners) and not lab.loop.num_active)
    ends = {TurnState.DRAINING, TurnState.CANCELLED, TurnState.FAILED}
    assert all(listener.job.is_over and listener.job.turn.state in ends for listener in lab.listeners)
    assert lab.loop.num_active == lab.loop.num_queued == 0
    assert done(*(listener for listener in lab.listeners if not listener.job.channel.is_closed))


class BadSink(Exception):
    """What somebody's sink may raise."""


@pytest.mark.parametrize("error", [OSError("unplugged"), BadSink(), SystemExit(3)], ids=["os", "own", "exit"])
@pytest.mark.parametrize("after", [0, 3])
async def test_a_sink_that_cannot_say_its_position_ends_its_own_stream(
    error: BaseException, after: int
) -> None:
    """Asked at any time, it ends that stream with a typed error; the others are spoken."""
    lab = Lab(FakeEngine(frames_per_segment=20))
    bad, good = lab.speak(SENTENCE), lab.speak(SENTENCE)

    def position_s() -> float:
        if len(bad.chunks) >= after:
            raise error
        return 0.0

    bad.job.lead.attach(position_s)
    await lab.run(30, lambda: done(bad, good))
    assert isinstance(bad.error, MossError) and bad.error.__cause__ is error
    assert good.error is None and len(good.chunks) == 21 and lab.loop.failure is None


async def test_a_position_that_is_no_number_ends_its_own_stream() -> None:
    """Not a number, it would keep the stream from ever being stepped."""
    lab = Lab(FakeEngine(frames_per_segment=20))
    listener = lab.speak(SENTENCE)
    listener.job.lead.attach(lambda: float("nan"))
    await lab.run(30, lambda: listener.is_done)
    assert isinstance(listener.error, SinkError)


@pytest.mark.parametrize("where", ["frame", "prefilled", "poll", "candidate", "wait_s"])
async def test_an_error_in_one_streams_bookkeeping_ends_that_stream_alone(
    where: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only the device's own failure is everybody's."""
    lab = Lab(FakeEngine(frames_per_segment=60))
    bad, good = lab.speak(SENTENCE), lab.speak(SENTENCE)

    def fail(*arguments: object) -> None:
        raise KeyError(where)

    monkeypatch.setattr(bad.job, where, fail)
    await lab.run(30, lambda: done(bad, good))
    assert isinstance(bad.error, EngineError) and not isinstance(bad.error, DeviceFailed)
    assert good.error is None and len(good.chunks) == 61
    assert lab.loop.failure is None and lab.loop.num_active == 0


async def test_a_step_without_a_frame_for_everybody_is_the_devices_failure() -> None:
    """An engine that loses a frame cannot be trusted with the next one."""

    class Lossy(FakeEngine):
        def step(self, slots: Sequence[int]) -> list[Frame]:
            return super().step(slots)[1:]

    lab = Lab(Lossy())
    listeners = [lab.speak(SENTENCE), lab.speak(SENTENCE)]
    await lab.run(30, lambda: done(*listeners))
    assert all(isinstance(listener.error, DeviceFailed) for listener in listeners)
