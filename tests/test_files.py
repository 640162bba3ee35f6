from __future__ import annotations

from pathlib import Path

import pytest

from moss_stream.files import clean_up, new_file


def test_a_file_is_there_whole_or_not_at_all(tmp_path: Path) -> None:
    """While it is written it has another name; what fails leaves the old one as it was."""
    path = tmp_path / "a.txt"
    with new_file(path) as file:
        file.write(b"first")
        assert not path.exists()
    with pytest.raises(OSError, match="disk full"), new_file(path) as file:
        file.write(b"sec")
        raise OSError("disk full")
    assert path.read_bytes() == b"first" and list(tmp_path.iterdir()) == [path]
    with new_file(path) as file:
        file.write(b"second")
    assert path.read_bytes() == b"second" and list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("has_links", [True, False])
def test_of_two_that_write_one_name_one_succeeds(
    tmp_path: Path, has_links: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where a name may not be taken twice, the later one fails and changes nothing."""
    if not has_links:

        def link(source: object, target: object) -> None:
            raise PermissionError("no links here")

        monkeypatch.setattr("os.link", link)
    path = tmp_path / "a.txt"
    with pytest.raises(FileExistsError), new_file(path, replaces=False) as slow:
        with new_file(path, replaces=False) as quick:
            quick.write(b"quick")
        slow.write(b"slow")
    assert path.read_bytes() == b"quick" and list(tmp_path.iterdir()) == [path]


def test_what_interrupted_writers_left_is_removed(tmp_path: Path) -> None:
    """And nothing else."""
    kept = [tmp_path / name for name in ("a.json", "a.part", ".b.json")]
    for path in [*kept, tmp_path / ".a.json.0badcafe.part"]:
        path.write_bytes(b"")
    clean_up(tmp_path)
    assert sorted(tmp_path.iterdir()) == sorted(kept)
