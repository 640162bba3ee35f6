from __future__ import annotations

import asyncio
import json
import threading
from pathlib import Path

import pytest
import soundfile
from fakes import FakeEngine, synthesizer_on

from moss_stream import ConfigError, TextError
from moss_stream.render import Rendered, read_job, render


def line(text: str = "Hello.", **fields: object) -> str:
    return json.dumps({"text": text, **fields})


async def rendered(engine: FakeEngine, lines: list[str], folder: Path) -> list[Rendered]:
    """What became of each line, by number."""
    made: list[Rendered] = []
    async with await synthesizer_on(engine) as synth:
        await render(synth, lines, folder, made.append)
    return sorted(made, key=lambda each: each.number)


async def test_every_line_becomes_a_file(tmp_path: Path) -> None:
    """With its voice, its options and its format; without a name it has the number of its line."""
    engine = FakeEngine(frames_per_segment=25)
    lines = [line(file="a/b.flac"), "\n", line("Bye.", options={"seed": 7}), line(file="c.mp3")]
    made = await rendered(engine, lines, tmp_path / "out")
    assert [(each.number, each.file, each.seconds) for each in made] == [
        (1, "a/b.flac", 2.0),
        (3, "000003.wav", 2.0),
        (4, "c.mp3", 2.0),
    ]
    out = tmp_path / "out"
    files = await asyncio.to_thread(lambda: [path for path in out.rglob("*") if path.is_file()])
    assert {path.name for path in files} == {"b.flac", "000003.wav", "c.mp3"}
    for path in files:
        info = await asyncio.to_thread(soundfile.info, path)
        assert info.duration == pytest.approx(2.0, abs=0.1)
    assert 7 in [getattr(each, "seed", None) for kind, each in engine.log if kind == "open"]


async def test_what_is_there_is_passed_over(tmp_path: Path) -> None:
    """Run again, only what is missing is spoken."""
    lines = [line(f"Text {n}.", file=f"{n}.wav") for n in range(5)]
    await rendered(FakeEngine(), lines, tmp_path)
    (tmp_path / "2.wav").unlink()
    engine = FakeEngine()
    made = await rendered(engine, lines, tmp_path)
    assert [each.is_skipped for each in made] == [True, True, False, True, True]
    assert engine.texts() == ["Text 2."]


async def test_a_line_that_fails_holds_up_no_other(tmp_path: Path) -> None:
    """It is told by its number, and leaves nothing."""
    lines = [line(), "no json", line(" "), line(file="../a.wav"), line(voice="nobody"), line("Bye.")]
    made = await rendered(FakeEngine(), lines, tmp_path)
    assert [each.number for each in made if each.error is not None] == [2, 3, 4, 5]
    names = await asyncio.to_thread(lambda: sorted(path.name for path in tmp_path.iterdir()))
    assert names == ["000001.wav", "000006.wav"]


async def test_as_many_at_once_as_there_are_slots(tmp_path: Path) -> None:
    """And not more."""
    gate = threading.Semaphore(0)
    engine = FakeEngine(max_streams=3, frames_per_segment=500, gate=gate)
    task = asyncio.create_task(rendered(engine, [line(f"Text {n}.") for n in range(5)], tmp_path))
    while max(map(len, engine.batches), default=0) < 3 and not task.done():
        gate.release()  # a frame, and the loop turns: the first does not end before the third begins
        await asyncio.sleep(0)
    gate.release(10_000)
    assert len(await task) == 5
    assert max(map(len, engine.batches)) == 3


async def test_what_is_interrupted_is_not_there(tmp_path: Path) -> None:
    """A file appears when it is whole."""
    engine = FakeEngine(frames_per_segment=1000, gate=threading.Semaphore(5))
    async with await synthesizer_on(engine) as synth:
        task = asyncio.create_task(render(synth, [line(file="a.wav")], tmp_path, lambda made: None))
        while engine.num_steps < 5:
            await asyncio.sleep(0)
        task.cancel()
        assert engine.gate is not None
        engine.gate.release(10_000)
        with pytest.raises(asyncio.CancelledError):
            await task
    assert await asyncio.to_thread(lambda: list(tmp_path.iterdir())) == []


@pytest.mark.parametrize(
    ("given", "kind", "message"),
    [
        ("{", TextError, "no JSON"),
        ("[]", TextError, "no job"),
        ('{"text": 5}', TextError, "no job"),
        ('{"text": "a", "txt": 1}', TextError, "'txt' is no field"),
        ('{"text": "a", "voice": 5}', TextError, "strings"),
        ('{"text": "a", "options": []}', TextError, "an object"),
        ('{"text": "a", "options": {"sed": 1}}', ConfigError, "sed is not an option"),
        ('{"text": "a", "file": "/etc/a.wav"}', ConfigError, "output folder"),
        ('{"text": "a", "file": "b/../../a.wav"}', ConfigError, "output folder"),
        ('{"text": "a", "file": "a.doc"}', ConfigError, "no such format"),
        (line("x" * 1_000_001), TextError, "characters"),
    ],
)
def test_lines_are_checked(given: str, kind: type[Exception], message: str) -> None:
    """Each with what is wrong."""
    with pytest.raises(kind, match=message):
        read_job(given, 1)
