from __future__ import annotations

from pathlib import Path

import pytest

from moss_stream import SinkError
from moss_stream.sinks.part_file import PartFile


def test_it_takes_its_name_when_it_is_shown(tmp_path: Path) -> None:
    """Until then it is beside the old one, and a link stays a link."""
    (tmp_path / "real").write_bytes(b"old")
    (tmp_path / "link").symlink_to(tmp_path / "real")
    file = PartFile(tmp_path / "link")
    with file.exclusively():
        file.opened().write(b"new")
        assert (tmp_path / "real").read_bytes() == b"old" and file.is_open
        file.show()
    assert (tmp_path / "real").read_bytes() == b"new" and (tmp_path / "link").is_symlink()
    file.close()
    assert not file.is_open and len(list(tmp_path.iterdir())) == 2


def test_what_was_never_shown_leaves_nothing(tmp_path: Path) -> None:
    """Closed twice, too; opened again it says so."""
    file = PartFile(tmp_path / "a")
    file.opened().write(b"nothing to hear")
    file.close()
    file.close()
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(SinkError, match="closed already"):
        file.opened()


def test_errors_are_sentences(tmp_path: Path) -> None:
    """A folder that is not there, and a name that cannot be one."""
    for path in (tmp_path / "none" / "a", "a\0b"):
        file = PartFile(path)
        with pytest.raises(SinkError, match="cannot be written"), file.exclusively():
            file.opened()
