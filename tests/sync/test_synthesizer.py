from __future__ import annotations

import signal
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from fakes import FakeEngine, sync_synthesizer_on
from golden_data import GOLDEN
from limits import HANG_S

from moss_stream import Audio, ConfigError, EngineOptions, Lexicon, ModelNotFound, SynthesizerClosed
from moss_stream.sync import load

TONE = Audio((8000 * np.sin(np.arange(24_000) / 20)).astype(np.int16))


def test_a_real_model_speaks() -> None:
    """Loaded, with a recorded voice, and closed."""
    with load(
        GOLDEN / "local",
        codec=GOLDEN / "cat",
        device="cpu",
        dtype="float32",
        options=EngineOptions(max_context=512),
    ) as synth:
        assert synth.is_ready and synth.info.sample_rate == 24_000
        synth.warmup()
        voice = synth.encode_voice(TONE)
        chunks = iter(synth.stream("Hello there.", voice=voice))
        assert len(next(chunks).samples) == 1_920
    with pytest.raises(SynthesizerClosed):
        next(chunks)


def test_several_threads_speak_at_the_same_time() -> None:
    """In one batch, each its own text."""
    engine = FakeEngine(frames_per_segment=20)
    with sync_synthesizer_on(engine) as synth, ThreadPoolExecutor(4) as pool:
        for audio in pool.map(synth.say, ["One.", "Two.", "Three.", "Four."]):
            assert audio.duration_s == pytest.approx(1.6)
    assert max(map(len, engine.batches)) > 1 and len(engine.texts()) == 4


def test_what_a_model_cannot_do_is_refused_at_once() -> None:
    """As with asyncio."""
    with sync_synthesizer_on(FakeEngine()) as synth:
        assert not synth.voices
        for ask in (synth.dialogue, lambda: synth.sound("rain"), lambda: synth.design_voice("calm")):
            with pytest.raises(ConfigError):
                ask()


def test_loading_what_is_not_there() -> None:
    """The error is the same, and no thread is left."""
    with pytest.raises(ModelNotFound):
        load("/nowhere")
    assert not [thread for thread in threading.enumerate() if thread.name == "moss-stream-loop"]


def test_a_closed_synthesizer_says_so() -> None:
    """Closing it twice is fine; a wrong time limit leaves it as it is."""
    synth = sync_synthesizer_on(FakeEngine())
    with pytest.raises(ConfigError):
        synth.close(drain=True, drain_s=-1)
    assert synth.say("Hello.").duration_s > 0
    synth.close(drain=True)
    synth.close()
    assert not synth.is_ready
    for ask in (synth.say, synth.stream, lambda _: synth.encode_voice(TONE)):
        with pytest.raises(SynthesizerClosed):
            ask("Hello.")


SCRIPT = """
import itertools, signal, sys, threading
from moss_stream.sync import load

signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell in the background has it ignored

def deltas():
    yield "Hello there, how are you today? "
    if sys.argv[1] == "waiting":
        print("now", flush=True)
        threading.Event().wait()  # a language model that has stalled
    yield from itertools.repeat("I speak, and I speak, and I do not stop. ")

if sys.argv[1] == "loading":
    print("now", flush=True)
try:
    with load() as synth:
        for chunk in synth.stream(deltas()):
            if sys.argv[1] == "speaking" and chunk.index == 2:
                print("now", flush=True)
finally:
    print(sorted(thread.name for thread in threading.enumerate()))
"""


def interrupted(moment: str) -> tuple[str, str, int]:
    """Run the script, press Ctrl-C when it says so; return what it writes, and its status."""
    command = [sys.executable, "-c", SCRIPT, moment]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdout=pipe, stderr=pipe, text=True) as script:
        assert script.stdout is not None
        assert script.stdout.readline() == "now\n"
        script.send_signal(signal.SIGINT)
        out, err = script.communicate(timeout=HANG_S)
    return out, err, script.returncode


@pytest.mark.parametrize("moment", ["waiting", "speaking"])
def test_ctrl_c_ends_a_script(moment: str) -> None:
    """With one traceback, that of the interruption, and nothing of ours left running."""
    out, err, status = interrupted(moment)
    assert status == -signal.SIGINT and "moss-stream-loop" not in out and "moss-stream-engine" not in out
    assert err.count("Traceback") == 1 and err.endswith("KeyboardInterrupt\n")


def test_ctrl_c_while_a_model_is_loaded() -> None:
    """The program ends; PyTorch may complain that it was torn down while it was imported."""
    _, err, status = interrupted("loading")
    assert status != 0 and "KeyboardInterrupt" in err


def test_a_lexicon_is_for_all_streams() -> None:
    """As with asyncio: one that the model cannot read is refused when it is loaded."""
    with pytest.raises(ConfigError, match="'tomato' is given in IPA"):
        load(lexicon=Lexicon({"tomato": "/təˈmɑːtəʊ/"}))
