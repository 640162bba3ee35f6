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
