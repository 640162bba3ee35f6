from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from moss_stream.server.settings import ServerSettings

KEY = "a-long-secret-key"


@pytest.mark.parametrize(
    "bad", [{"host": "0.0.0.0"}, {"host": "voice.example"}, {"api_keys": ("short",)}, {"port": -1}, {"x": 1}]
)
def test_unsafe_settings_are_refused(bad: dict[str, Any]) -> None:
    """Another address than loopback needs a key or a clear word."""
    with pytest.raises(ValidationError):
        ServerSettings(**bad)
    assert ServerSettings(host="0.0.0.0", api_keys=(KEY,)).port == 8000
    assert ServerSettings(host="0.0.0.0", is_open=True).host == "0.0.0.0"
    for host in ("127.0.0.1", "::1", "localhost"):
        assert ServerSettings(host=host).api_keys == ()


@pytest.mark.parametrize(
    "name",
    [
        name
        for name, field in ServerSettings.model_fields.items()
        if field.annotation in (int, float, int | None, float | None)
    ],
)
def test_every_number_has_bounds(name: str) -> None:
    """A new one cannot be forgotten here."""
    for value in (-1, 2**63, 10**5000, float("inf"), float("nan")):
        with pytest.raises(ValidationError):
            ServerSettings(**{name: value})  # type: ignore[arg-type]
