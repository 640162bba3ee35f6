from __future__ import annotations

import pytest

from moss_stream.languages import language_name


@pytest.mark.parametrize(
    ("code", "name"),
    [("de", "German"), ("de-DE", "German"), ("zh_CN", "Chinese"), ("Klingon", "Klingon"), (None, None)],
)
def test_codes_have_names(code: str | None, name: str | None) -> None:
    """What is none of ours stays as it is."""
    assert language_name(code) == name
