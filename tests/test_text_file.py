from __future__ import annotations

from pathlib import Path

import pytest

from moss_stream import TextError
from moss_stream.text_file import bounded_text


def read(path: Path) -> str:
    return bounded_text(path, "text", 1, TextError, "Cut it.")


def test_a_text_is_read_as_it_is_meant(tmp_path: Path) -> None:
    """Whatever wrote it."""
    path = tmp_path / "a.txt"
    path.write_bytes("\ufeffÉté.\r\nOui.\n".encode())
    assert read(path) == "Été.\nOui.\n"
    path.write_bytes(b"x" * (1 << 20))
    assert len(read(path)) == 1 << 20


def test_what_is_no_text(tmp_path: Path) -> None:
    """In a sentence that says where, and what to do."""
    path = tmp_path / "a.txt"
    path.write_bytes(b"a\nb\n\xff")
    with pytest.raises(TextError, match=r"a\.txt, line 3: it is not in UTF-8"):
        read(path)
    path.write_bytes(b"x" * ((1 << 20) + 1))
    with pytest.raises(TextError, match="a text has at most 1 MB. Cut it."):
        read(path)
    for wrong in (tmp_path, tmp_path / "none", Path("a\0b")):
        with pytest.raises(TextError, match="The text .* cannot be read"):
            read(wrong)
