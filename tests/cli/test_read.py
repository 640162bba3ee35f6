"""`moss-stream read` with the embedded voice, in processes that are killed."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import soundfile
from limits import HANG_S
from typer.testing import CliRunner

from moss_stream.cli.app import app

TEXT = "# One\n\nIt was late.\n\nNobody came, and we waited.\n\nThen kubectl spoke:\n\n* * *\n\nGood night."
WORDS = [word for word in TEXT.split() if word not in ("#", "*")]
# A part for each paragraph, so that a short text has several; and an end at a moment.
PROGRAM = """
import os, signal, sys
from moss_stream.text import parts
from moss_stream.part_store import PartStore
signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell in the background has it ignored
parts.LEAST = parts.ONE_IN = 1
moment, count, number = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])

def die(*arguments):
    global count
    count -= 1
    if count == 0:
        os.kill(os.getpid(), number)

def before(method):
    def wrapped(*arguments, **named):
        die()
        return method(*arguments, **named)
    return wrapped

if moment == "put":
    PartStore.put = before(PartStore.put)
elif moment == "half":
    import soundfile
    soundfile.write = before(soundfile.write)
elif moment == "join":
    PartStore.chunks = before(PartStore.chunks)
del sys.argv[1:4]
from moss_stream.cli.app import main
main()
"""


def read(
    folder: Path, file: str, moment: str = "", count: int = 0, number: int = 0
) -> subprocess.CompletedProcess[str]:
    """Read the book, and end the program with a signal at a moment."""
    options = ["--subtitles", "json", "--lexicon", "words.txt"]
    command = [sys.executable, "-c", PROGRAM, moment, str(count), str(int(number)), "read", "book.txt"]
    return subprocess.run(
        [*command, "-o", file, *options], cwd=folder, capture_output=True, text=True, timeout=HANG_S
    )


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a book, and with its recording by a program that nobody ended."""
    folder = tmp_path_factory.mktemp("library")
    (folder / "book.txt").write_text(TEXT, encoding="utf-8")
    (folder / "words.txt").write_text("kubectl = cube control\n", encoding="utf-8")
    for file in ("whole.wav", "whole.mp3"):
        run = read(folder, file)
        assert run.returncode == 0 and f"Wrote {file}" in run.stderr, run.stderr
    assert sorted(os.listdir(folder)) == ["book.txt", "whole.json", "whole.mp3", "whole.wav", "words.txt"]
    return folder


def test_a_book_is_a_file_with_subtitles(library: Path) -> None:
    """Every word of it, with times that go on from part to part."""
    assert soundfile.info(library / "whole.wav").duration == pytest.approx(
        soundfile.info(library / "whole.mp3").duration, abs=0.2
    )
    words = json.loads((library / "whole.json").read_text(encoding="utf-8"))
    assert [word["text"] for word in words] == WORDS
    assert [TEXT[word["char_start"] : word["char_end"]] for word in words] == WORDS
    times = [time for word in words for time in (word["start_s"], word["end_s"])]
    assert times == sorted(times) and times[-1] <= soundfile.info(library / "whole.wav").duration


@pytest.mark.parametrize(
    ("moments", "suffix"),
    [
        ([("put", 1), ("put", 2), ("half", 1), ("join", 3)], "wav"),
        ([("half", 2), ("join", 1)], "mp3"),
    ],
)
def test_a_killed_program_goes_on_where_it_was(
    library: Path, moments: list[tuple[str, int]], suffix: str
) -> None:
    """Whenever it was killed; the file is to the byte that of a program that nobody ended."""
    file = f"killed.{suffix}"
    for moment, count in moments:
        assert read(library, file, moment, count, signal.SIGKILL).returncode == -signal.SIGKILL
        assert not (library / file).exists()
    assert len(list((library / f"{file}.parts").glob("*.flac"))) == 5
    run = read(library, file)
    assert run.returncode == 0, run.stderr
    for name in (file, "killed.json"):
        assert (library / name).read_bytes() == (library / name.replace("killed", "whole")).read_bytes()
    assert not list(library.glob("*.parts")) and not list(library.glob(".*"))


def test_ctrl_c_says_how_to_go_on(library: Path) -> None:
    """With the exit status of a program that was interrupted."""
    run = read(library, "stopped.flac", "put", 2, signal.SIGINT)
    assert run.returncode == 130 and "The same command goes on where it was." in run.stderr
    assert "Traceback" not in run.stderr
    assert read(library, "stopped.flac").returncode == 0
    assert (soundfile.read(library / "stopped.flac")[0] == soundfile.read(library / "whole.wav")[0]).all()


@pytest.mark.parametrize(
    ("file", "output", "message"),
    [
        ("none.txt", "a.wav", "cannot be read"),
        ("book.txt", "a.doc", "End the name with"),
        ("book.txt", "-", "a file"),
    ],
)
def test_what_cannot_be_read(library: Path, file: str, output: str, message: str) -> None:
    """In a sentence, before anything is loaded."""
    result = CliRunner().invoke(app, ["read", str(library / file), "-o", output])
    assert result.exit_code == 1 and message in result.stderr
