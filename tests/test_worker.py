from __future__ import annotations

import asyncio
import subprocess
import sys
import threading

import pytest
from fakes import FakeEngine

from moss_stream.config import SynthesisOptions
from moss_stream.engine.channel import Channel
from moss_stream.engine.job import SpeechJob
from moss_stream.engine.worker import Worker
from moss_stream.errors import EngineError, ModelNotFound, SynthesizerClosed


async def started(engine: FakeEngine) -> Worker:
    worker = Worker(lambda: engine)
    await worker.start()
    return worker


def job(worker: Worker) -> tuple[SpeechJob, Channel]:
    channel = Channel(100_000, worker.wake)
    return SpeechJob(SynthesisOptions(), channel, lambda: None), channel


async def test_loading_runs_on_the_workers_thread() -> None:
    """The engine is made and used on one thread, which is not the event loop's."""
    threads = []

    def load() -> FakeEngine:
        threads.append(threading.current_thread().name)
        return FakeEngine()

    worker = Worker(load)
    assert (await worker.start()).description == "a fake"
    threads.append(await worker.call(lambda engine: threading.current_thread().name))
    await worker.close()
    assert threads == ["moss-stream-engine"] * 2


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


async def test_streams_run_one_after_the_other() -> None:
    """A second stream waits for the first and is then spoken whole."""
    engine = FakeEngine(frames_per_segment=2)
    worker = await started(engine)
    pairs = [job(worker), job(worker)]
    for each, _ in pairs:
        worker.submit(each)
        each.say("Hello.")
        each.end()
        worker.wake()
    counts = []
    for _, channel in pairs:
        count = 0
        while await channel.get() is not None:
            count += 1
        counts.append(count)
    await worker.close()
    assert counts == [3, 3]
    assert [kind for kind, _ in engine.log] == ["open", "begin", "open", "begin"]


async def test_a_call_is_served_while_a_stream_waits_for_text() -> None:
    """A voice can be encoded in the middle of a stream."""
    worker = await started(FakeEngine())
    speech, channel = job(worker)
    worker.submit(speech)
    assert await worker.call(lambda engine: 42) == 42
    channel.close()
    await channel.wait_finished()
    await worker.close()


async def test_a_failing_call_does_not_stop_the_worker() -> None:
    """After a call that raises, the next one is served."""
    worker = await started(FakeEngine())

    def fail(engine: object) -> None:
        raise RuntimeError("bad audio")

    with pytest.raises(EngineError, match="bad audio"):
        await worker.call(fail)
    assert await worker.call(lambda engine: 1) == 1
    await worker.close()


async def test_closing_ends_waiting_streams_and_refuses_new_ones() -> None:
    """Active and queued streams end with SynthesizerClosed; so does everything after."""
    worker = await started(FakeEngine())
    pairs = [job(worker), job(worker)]
    for each, _ in pairs:
        worker.submit(each)
    await worker.close()
    await worker.close()
    for _, channel in pairs:
        with pytest.raises(SynthesizerClosed, match="closed"):
            await channel.get()
    with pytest.raises(SynthesizerClosed):
        worker.submit(pairs[0][0])
    with pytest.raises(SynthesizerClosed):
        await worker.call(lambda engine: 1)


FORGETFUL = """
import asyncio, sys
sys.path[:0] = ["tests"]
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
    run = subprocess.run([sys.executable, "-c", FORGETFUL], capture_output=True, text=True, timeout=15)
    assert (run.stdout, run.returncode) == ("done\n", 0), run.stderr
