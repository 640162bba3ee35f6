"""`moss-stream serve --ray`, as far as it goes without Ray."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

from moss_stream.cli.app import app
from moss_stream.cli.cluster import range_of
from moss_stream.errors import ConfigError


def test_how_many_replicas() -> None:
    """A number, or a range."""
    assert range_of("2") == (2, 2) and range_of("1-4") == (1, 4)


@pytest.mark.parametrize("text", ["", "0", "4-1", "-3", "2-", "two", "1-99999"])
def test_no_number_of_replicas(text: str) -> None:
    with pytest.raises(ConfigError, match="expected a number such as 2"):
        range_of(text)


def test_what_does_not_go_together(tmp_path: Path) -> None:
    """It is said before anything is started."""
    lexicon = tmp_path / "words.txt"
    lexicon.write_text("moss = mos\n", encoding="utf-8")
    told = CliRunner().invoke(app, ["serve", "--ray", "--lexicon", str(lexicon)])
    assert told.exit_code and "--lexicon does not go with --ray" in told.output


def test_an_address_for_voices_that_means_nothing() -> None:
    """Before a model is loaded."""
    told = CliRunner().invoke(app, ["serve", "--voices", "nothing://voices"])
    assert told.exit_code and "Give a folder" in " ".join(told.output.split())
