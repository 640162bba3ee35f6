from __future__ import annotations

import asyncio
import subprocess
import sys
import threading
from typing import ClassVar

import numpy as np
import pytest
from fakes import FakeEngine
from limits import HANG_S
from virtual_time import give

from moss_stream.cast import Cast
from moss_stream.config import SynthesisOptions
from moss_stream.engine.channel import Channel
from moss_stream.engine.utterance import SpeechJob
from moss_stream.engine.worker import Worker
from moss_stream.errors import DeviceFailed, EngineError, ModelNotFound, SynthesizerClosed
from moss_stream.text.segmented import Segmented
from moss_stream.text.turn import Turn


async def started(engine: FakeEngine) -> Worker:
    worker = Worker(lambda: engine)
    await worker.start()
    return worker


def speak(worker: Worker, text: str | None = None) -> SpeechJob:
    channel = Channel(100_000, worker.wake)
    job = SpeechJob(
        SynthesisOptions(), Turn(Segmented(SynthesisOptions())), channel, lambda: None, worker.clock
    )
    job.set_cast(Cast.alone(None))
    if text is not None:
        give(job, text)
        job.end()
    worker.submit(job)
    return job


async def count(job: SpeechJob) -> int:
    number = 0
    while await job.channel.get() is not None:
        number += 1
    return number


async def test_the_engine_is_made_and_used_on_the_workers_thread() -> None:
    """Loading and speaking happen on one thread, which is not the event loop's."""
    threads = []

    def load() -> FakeEngine:
        threads.append(threading.current_thread().name)
        return FakeEngine(on_step=lambda _: threads.append(threading.current_thread().name))

    worker = Worker(load)
    assert (await worker.start()).description == "a fake"
    assert await count(speak(worker, "Hello.")) == 4
    await worker.close()
    assert set(threads) == {"moss-stream-engine"}


async def test_a_failed_load_is_raised() -> None:
    """An error of ours comes as it is, another one as EngineError; the thread ends."""

    def missing() -> FakeEngine:
        raise ModelNotFound("no such folder")

    def broken() -> FakeEngine:
        raise MemoryError("full")

    for load, kind in ((missing, ModelNotFound), (broken, EngineError)):
        worker = Worker(load)
        with pytest.raises(kind):
            await worker.start()
        await worker.close()


async def test_cancelling_a_load_ends_the_thread() -> None:
    """Giving up loading leaves no engine behind."""
    before = set(threading.enumerate())
    go = threading.Event()

    def load() -> FakeEngine:
        go.wait()
        return FakeEngine()

    worker = Worker(load)
    loading = asyncio.create_task(worker.start())
    await asyncio.sleep(0)
    loading.cancel()
    with pytest.raises(asyncio.CancelledError):
        await loading
    go.set()
    await worker.close()
    new = set(threading.enumerate()) - before
    assert "moss-stream-engine" not in {thread.name for thread in new}


async def test_streams_are_spoken_side_by_side() -> None:
    """A stream does not wait for another one to end."""
    worker = await started(FakeEngine(frames_per_segment=2, frame_costs_s={1: 0.001, 4: 0.001}))
    waiting = speak(worker)
    assert await count(speak(worker, "Hello.")) == 3
    give(waiting, "Hi.")
    waiting.end()
    worker.wake()
    assert await count(waiting) == 3
    await worker.close()


async def test_time_alone_wakes_the_thread() -> None:
    """A text that pauses is spoken without anybody calling."""
    worker = await started(FakeEngine(frames_per_segment=2))
    job = speak(worker)
    give(job, "Some words without an end")
    worker.wake()
    assert await job.channel.get() is not None
    job.channel.close()
    await job.channel.wait_finished()
    await worker.close()


async def test_encoding_does_not_wait_for_the_thread() -> None:
    """A recording is encoded while the engine makes a frame; what fails is an error of ours."""
    gate = threading.Semaphore(0)
    worker = await started(FakeEngine(gate=gate))
    job = speak(worker, "Hello.")
    codes = await asyncio.to_thread(worker.encode, np.zeros(19200, dtype=np.float32))
    assert codes.shape == (10, 4)
    with pytest.raises(EngineError):
        await asyncio.to_thread(worker.encode, None)  # type: ignore[arg-type]
    gate.release(100)
    assert await count(job) == 4
    await worker.close()


async def test_closing_ends_waiting_streams_and_refuses_new_ones() -> None:
    """Active and queued streams end with SynthesizerClosed; so does everything after."""
    worker = await started(FakeEngine(max_streams=1))
    jobs = [speak(worker), speak(worker)]
    await worker.close()
    await worker.close()
    for job in jobs:
        with pytest.raises(SynthesizerClosed, match="closed"):
            await job.channel.get()
    with pytest.raises(SynthesizerClosed):
        speak(worker)
    with pytest.raises(SynthesizerClosed):
        worker.encode(np.zeros(19200, dtype=np.float32))


async def test_closing_can_let_streams_end() -> None:
    """Drained, what was begun is spoken to its end, and nothing new is taken."""
    gate = threading.Semaphore(0)
    worker = await started(FakeEngine(gate=gate))
    job = speak(worker, "Hello.")
    closing = asyncio.create_task(worker.close(drain_s=60))
    while not worker.is_closed:
        await asyncio.sleep(0)
    with pytest.raises(SynthesizerClosed):
        speak(worker)
    gate.release(100)
    assert await count(job) == 4
    await closing


async def test_after_the_device_failed_streams_are_refused() -> None:
    """The error says to load again, and closing still works."""
    worker = await started(FakeEngine(fail_at=1))
    with pytest.raises(DeviceFailed, match="load again"):
        await count(speak(worker, "Hello."))
    with pytest.raises(DeviceFailed):
        speak(worker, "Hello.")
    await worker.close()


FORGETFUL = """
import asyncio, sys
sys.path[:0] = ["tests/support", "."]
from fakes import FakeEngine, synthesizer_on
async def main():
    synth = await synthesizer_on(FakeEngine(frames_per_segment=10**9))
    async for chunk in synth.stream("Never closed. " * 1000):
        if chunk.index == 3:
            break
asyncio.run(main())
print("done")
"""


def test_a_program_that_forgets_to_close_ends() -> None:
    """Without close() the interpreter still exits, at once and without a crash."""
    run = subprocess.run([sys.executable, "-c", FORGETFUL], capture_output=True, text=True, timeout=HANG_S)
    assert (run.stdout, run.returncode) == ("done\n", 0), run.stderr


async def test_recording_is_done_on_the_engines_thread() -> None:
    """Between streams; an error is told to who asked, and a closed worker says so."""

    class Recording(FakeEngine):
        threads: ClassVar[list[str]] = []

        def capture(self, n_vq: int | None) -> None:
            self.threads.append(threading.current_thread().name)
            if len(self.threads) == 2:
                raise RuntimeError("out of luck")

    worker = Worker(Recording)
    await worker.start()
    await worker.capture()
    with pytest.raises(EngineError, match="out of luck"):
        await worker.capture()
    await worker.capture()
    assert Recording.threads == ["moss-stream-engine"] * 3
    await worker.close()
    with pytest.raises(SynthesizerClosed):
        await worker.capture()


@pytest.mark.parametrize("error", [RuntimeError("torn"), SystemExit(3), KeyboardInterrupt()], ids=type)
async def test_what_escapes_the_loop_ends_all_streams_and_nobody_waits(
    error: BaseException, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever is raised on the engine's thread: a typed error for all, and no more streams are taken."""
    worker = await started(FakeEngine())
    assert worker._engine_loop is not None

    def fail(*arguments: object) -> None:
        raise error

    monkeypatch.setattr(worker._engine_loop, "_admit", fail)
    jobs = [speak(worker, "Hello."), speak(worker)]
    for job in jobs:
        async with asyncio.timeout(60):
            with pytest.raises(EngineError, match="load again"):
                await count(job)
    with pytest.raises(EngineError):
        speak(worker, "Hello.")
    with pytest.raises(EngineError):
        await worker.capture()
    async with asyncio.timeout(60):
        await worker.close()


async def test_draining_ends_after_a_while() -> None:
    """A stream whose text nobody ends does not keep the worker from closing."""
    now = [100.0]
    worker = Worker(FakeEngine, clock=lambda: now[0])
    await worker.start()
    job = speak(worker)
    give(job, "Hello.")
    closing = asyncio.create_task(worker.close(drain_s=30))
    while not worker.is_closed:
        await asyncio.sleep(0)
    now[0] += 31
    worker.wake()
    async with asyncio.timeout(60):
        await closing
        with pytest.raises(SynthesizerClosed):
            await count(job)


async def test_a_log_that_fails_keeps_nobody_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    """When the loop fails, and saying so fails too, streams still end and new ones are refused."""

    def fail(*arguments: object, **named: object) -> None:
        raise OSError("no space left on device")

    worker = await started(FakeEngine())
    waiting = speak(worker)
    monkeypatch.setattr("moss_stream.engine.loop.Scheduler.plan", fail)
    monkeypatch.setattr("moss_stream.engine.loop.logger.error", fail)
    worker.wake()
    with pytest.raises(EngineError):
        await count(waiting)
    with pytest.raises(EngineError):
        speak(worker)
    await worker.close()


async def test_a_worker_that_was_never_started_can_be_closed() -> None:
    """There is nothing to wait for."""
    async with asyncio.timeout(60):
        await Worker(FakeEngine).close()
