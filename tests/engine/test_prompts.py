from __future__ import annotations

import threading

import pytest
from fakes import FakeEngine, synthesizer_on
from virtual_time import Lab

from moss_stream.engine.prompts import PromptThreads
from moss_stream.errors import SynthesizerClosed, TextError
from moss_stream.text.message import Message


def test_prompts_are_built_on_threads_of_their_own() -> None:
    """The caller is not held up, and is woken when one is ready or cannot be made."""
    gate, woken, names = threading.Semaphore(0), threading.Semaphore(0), list[str]()
    engine = FakeEngine(prompt_gate=gate, refuse="bad")

    def build(message: Message, prefix: None) -> object:
        names.append(threading.current_thread().name)
        return engine.prompt(message, prefix)

    order = PromptThreads(build, lambda: woken.release())  # type: ignore[arg-type]
    good, bad = order(Message(text="good"), None), order(Message(text="bad"), None)
    assert not good.done() and not bad.done()
    gate.release(2)
    assert woken.acquire(timeout=60) and woken.acquire(timeout=60)
    assert good.result(60).message.text == "good"
    with pytest.raises(TextError):
        bad.result(60)
    assert all(name.startswith("moss-stream-prompts") for name in names)
    order.close()
    with pytest.raises(SynthesizerClosed):
        order(Message(text="late"), None).result(60)


async def test_a_prompt_that_takes_long_holds_nobody_up() -> None:
    """While one stream's prompt is built, the others are spoken; then it begins."""
    lab = Lab(FakeEngine(frames_per_segment=10))
    lab.prompts.is_late = True
    slow = lab.speak("This one is tokenized slowly.")
    await lab.tick()
    lab.prompts.is_late = False
    quick = Lab.speak(lab, "This one is not.")
    slow_orders = lab.prompts._asked
    lab.prompts._asked = []
    await lab.run(10, lambda: quick.is_done)
    assert quick.error is None and len(quick.chunks) == 11 and slow.chunks == [] and not slow.is_done
    lab.prompts._asked = slow_orders
    lab.prompts.work()
    await lab.run(10, lambda: slow.is_done)
    assert slow.error is None and len(slow.chunks) == 11


async def test_a_prompt_that_cannot_be_built_ends_its_own_stream() -> None:
    """With the error that building it raised."""
    lab = Lab(FakeEngine(refuse="bad"))
    bad, good = lab.speak("This is bad."), lab.speak("This is good.")
    await lab.run(10, lambda: bad.is_done and good.is_done)
    assert isinstance(bad.error, TextError) and good.error is None


async def test_the_engines_thread_tokenizes_nothing() -> None:
    """Through the synthesizer, prompts are built on other threads than the one that makes frames."""
    threads: dict[str, set[str]] = {"prompt": set(), "step": set()}

    class Watched(FakeEngine):
        def prompt(self, *arguments: object) -> object:  # type: ignore[override]
            threads["prompt"].add(threading.current_thread().name)
            return super().prompt(*arguments)  # type: ignore[arg-type]

    engine = Watched(on_step=lambda _: threads["step"].add(threading.current_thread().name))
    async with await synthesizer_on(engine) as synth:
        async for _ in synth.stream("One sentence. And another one."):
            pass
    assert threads["step"] == {"moss-stream-engine"} and threads["prompt"].isdisjoint(threads["step"])
