"""A book in parts, on a fake engine; `cli/test_read.py` has the real one, and kills it."""

from __future__ import annotations

import os
import shutil
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import soundfile
from fakes import FakeEngine, synthesizer_on

from moss_stream import ConfigError, EngineError, Lexicon, SinkError, SynthesisOptions, TextError, Voice, Word
from moss_stream.book import BookJob, read_book, read_text
from moss_stream.text.parts import text_parts

TEXT = "# A book\n\n" + "\n\n".join(f"This is paragraph {n} of it. " * 8 for n in range(40)) + "\n\n* * *\n"
VOICES = {"Anna": Voice(np.zeros((2, 4), np.int64), "Anna")}


async def read(folder: Path, text: str = TEXT, fail_at: int | None = None, **changes: object) -> FakeEngine:
    """Read a book; return the engine, which knows what was spoken."""
    engine = FakeEngine(fail_at=fail_at, max_streams=2, voices=VOICES)
    job = replace(BookJob(text, folder / "book.wav"), **changes)  # type: ignore[arg-type]
    async with await synthesizer_on(engine) as synth:
        engine.words = await read_book(synth, job)  # type: ignore[attr-defined]
    return engine


def num_segments(engine: FakeEngine) -> int:
    return sum(kind == "begin" for kind, _ in engine.log)


async def test_a_book_is_one_file_and_every_word_has_its_place(tmp_path: Path) -> None:
    """Nothing is lost, nothing is doubled; times go on from part to part; the parts go."""
    engine = await read(tmp_path)
    words: list[Word] = engine.words  # type: ignore[attr-defined]
    assert [word.text for word in words] == [word for word in TEXT.split() if word not in ("#", "*")]
    assert all(TEXT[word.char_start : word.char_end] == word.text for word in words)
    assert all(a.end_s <= b.start_s + 1e-6 for a, b in zip(words, words[1:], strict=False))
    assert soundfile.info(tmp_path / "book.wav").duration == pytest.approx(
        num_segments(engine) * 0.24, abs=0.01
    )
    assert words[-1].end_s <= soundfile.info(tmp_path / "book.wav").duration
    assert os.listdir(tmp_path) == ["book.wav"]


async def test_what_is_told_of_progress_is_the_whole_text(tmp_path: Path) -> None:
    """Also of parts with nothing to say, and of those that are there."""
    told: list[int] = []
    async with await synthesizer_on(FakeEngine()) as synth:
        await read_book(synth, BookJob(TEXT, tmp_path / "a.mp3"), told.append)
    assert sum(told) == len(TEXT) and len(told) > len(text_parts(TEXT))


async def test_a_book_that_broke_off_goes_on(tmp_path: Path) -> None:
    """Only what is missing is spoken; the file is the one of a run that was not interrupted."""
    whole = await read(tmp_path / "whole")
    with pytest.raises(EngineError):
        await read(tmp_path / "parts", fail_at=60)
    assert not (tmp_path / "parts" / "book.wav").exists()
    rest = await read(tmp_path / "parts")
    assert 0 < num_segments(rest) < num_segments(whole)
    assert (tmp_path / "parts" / "book.wav").read_bytes() == (tmp_path / "whole" / "book.wav").read_bytes()
    assert rest.words == whole.words  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("changes", "is_all"),
    [
        ({"text": TEXT.replace("paragraph 20 of", "paragraph twenty of", 1)}, False),
        ({"options": SynthesisOptions(lexicon=Lexicon({"20": "twenty"}))}, False),
        ({"speed": 1.5}, None),
        ({"target": "book.mp3"}, True),
        ({"options": SynthesisOptions(seed=3)}, True),
        ({"voice": "Anna"}, None),
        ({"model": "another"}, True),
    ],
)
async def test_what_has_changed_is_spoken_anew(
    tmp_path: Path, changes: dict[str, object], is_all: bool | None
) -> None:
    """And nothing else; the speed is made when the parts are joined, and one voice is the model's first."""
    whole = num_segments(await read(tmp_path / "whole"))
    with pytest.raises(SinkError):
        (tmp_path / "a" / "book.wav").mkdir(parents=True)  # every part is made, and cannot be joined
        await read(tmp_path / "a")
    (tmp_path / "a" / "book.wav").rmdir()
    if "target" in changes:
        changes["target"] = tmp_path / "a" / str(changes["target"])
    count = num_segments(await read(tmp_path / "a", **changes))  # type: ignore[arg-type]
    assert count == {None: 0, True: whole}.get(is_all, count)
    assert is_all is not False or 0 < count < whole / 2


async def test_without_a_voice_all_parts_have_that_of_the_first(tmp_path: Path) -> None:
    """Where the model has no voices: it is taken from the first part's audio."""
    engine = FakeEngine(frames_per_segment=20)
    async with await synthesizer_on(engine) as synth:
        await read_book(synth, BookJob(TEXT, tmp_path / "a.wav"))
    assert len(engine.encoded) == 1
    references = [what.reference for kind, what in engine.log if kind == "begin"]  # type: ignore[attr-defined]
    assert references[0] is None and references[-1] is not None


async def test_a_part_that_the_model_does_not_speak_holds_up_no_book(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """It is told; a last line such as "II." may be one."""
    engine = FakeEngine(silent_attempts=100, max_streams=1, voices=VOICES)
    async with await synthesizer_on(engine) as synth:
        words = await read_book(synth, BookJob(TEXT, tmp_path / "a.wav"))
    assert "Passed over '# A book" in caplog.text and 0 < len(words) < len(TEXT.split())


async def test_what_cannot_be_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In a sentence, before anything is spoken."""
    for changes, kind, message in (
        ({"text": "* * *\n"}, TextError, "nothing to say"),
        ({"target": tmp_path / "a.doc"}, ConfigError, "End the name with"),
        ({"options": SynthesisOptions(tokens=3)}, ConfigError, "for a book"),
    ):
        with pytest.raises(kind, match=message):
            await read(tmp_path, **changes)
    usage = SimpleNamespace(free=1)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage)
    with pytest.raises(SinkError, match="There is no room"):
        await read(tmp_path)
    assert not os.listdir(tmp_path)


def test_a_text_that_cannot_be_read(tmp_path: Path) -> None:
    """Is told as one; see `bounded_text`."""
    (tmp_path / "a.txt").write_text("Hello.")
    assert read_text(tmp_path / "a.txt") == "Hello."
    with pytest.raises(TextError, match="The text .* cannot be read"):
        read_text(tmp_path / "none.txt")
