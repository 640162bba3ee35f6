from __future__ import annotations

import asyncio
import io
import os
import re
import sys
from collections.abc import AsyncIterator, Iterator
from typing import BinaryIO

import pytest
from rich.console import Console

from moss_stream.cli.console import Progress, read_stdin


@pytest.fixture
def pipe(monkeypatch: pytest.MonkeyPatch) -> Iterator[BinaryIO]:
    """Make standard input the end of a pipe; return the other end."""
    read_end, write_end = os.pipe()
    with open(read_end, encoding="utf-8") as stdin, open(write_end, "wb", buffering=0) as other:
        monkeypatch.setattr(sys, "stdin", stdin)
        yield other


async def text_of(deltas: AsyncIterator[str], length: int) -> str:
    """Read deltas until they have that many characters."""
    text = ""
    while len(text) < length:
        text += await anext(deltas)
    return text


async def rest_of(deltas: AsyncIterator[str]) -> str:
    """Read all deltas that are left."""
    return "".join([delta async for delta in deltas])


async def test_text_is_there_before_the_input_ends(pipe: BinaryIO) -> None:
    """What is written is spoken while the writer goes on."""
    deltas = read_stdin()
    pipe.write(b"Hello ")
    assert await text_of(deltas, 6) == "Hello "
    pipe.write(b"there.")
    assert await text_of(deltas, 6) == "there."
    pipe.close()
    assert await rest_of(deltas) == ""


async def test_a_character_may_be_split(pipe: BinaryIO) -> None:
    """A character whose bytes come in two writes is one character."""
    deltas = read_stdin()
    first, second = "a声".encode()[:2], "a声".encode()[2:]
    pipe.write(first)
    assert await text_of(deltas, 1) == "a"
    pipe.write(second)
    assert await text_of(deltas, 1) == "声"
    pipe.close()
    assert await rest_of(deltas) == ""


async def test_bytes_that_are_no_text_do_not_end_the_speech(pipe: BinaryIO) -> None:
    """Bytes of another encoding, and half a character at the end, are replaced."""
    pipe.write(b"caf\xe9 noir\xe5\xa3")
    pipe.close()
    assert await rest_of(read_stdin()) == "caf\ufffd noir\ufffd"


async def test_much_text_arrives_whole(pipe: BinaryIO) -> None:
    """More text than a pipe holds arrives in order."""
    text = "".join(f"{number} äöü " for number in range(30_000))
    reading = asyncio.create_task(rest_of(read_stdin()))

    def write() -> None:
        left = memoryview(text.encode())
        while left:
            left = left[pipe.write(left) :]
        pipe.close()

    await asyncio.to_thread(write)
    assert await reading == text


async def test_a_closed_standard_input_is_an_empty_text(monkeypatch: pytest.MonkeyPatch) -> None:
    """A program started without standard input reads nothing instead of waiting for ever."""
    monkeypatch.setattr(sys, "stdin", None)
    assert await rest_of(read_stdin()) == ""


def lines_of(*durations_s: float) -> tuple[str, str]:
    """What Progress prints for chunks of those lengths: before the end, and in all."""
    output = io.StringIO()
    progress = Progress(Console(file=output, width=100))
    for duration_s in durations_s:
        progress.add(duration_s)
    before = output.getvalue()
    progress.done()
    progress.close()
    return before, output.getvalue()


def test_progress_prints_one_line_into_a_file() -> None:
    """Where there is no terminal there is one plain line, at the end."""
    before, after = lines_of(0.08, 0.08, 0.0)
    assert before == ""
    assert re.fullmatch(r"0\.16 s of speech in \d+\.\d\d s, first audio \d+ ms, RTF \d+\.\d\d\n", after)


def test_progress_without_audio() -> None:
    """A stream that made no audio has no time to first audio and no RTF."""
    assert re.fullmatch(r"0\.00 s of speech in .* s, first audio none yet, RTF -\n", lines_of(0.0)[1])


def test_progress_on_a_terminal_is_taken_away() -> None:
    """On a terminal the live line goes when the speech ends or fails, and the cursor comes back."""
    for ends_well in (True, False):
        output = io.StringIO()
        console = Console(file=output, width=100, force_terminal=True, _environ={"TERM": "xterm"})
        progress = Progress(console)
        progress.add(0.08)
        if ends_well:
            progress.done()
        progress.close()
        hidden, shown = "\x1b[?25l", "\x1b[?25h"
        assert output.getvalue().rfind(shown) > output.getvalue().rfind(hidden) >= 0
        assert output.getvalue().rpartition(shown)[2].count("s of speech in") == ends_well
