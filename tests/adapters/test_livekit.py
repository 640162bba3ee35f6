"""Without LiveKit; with it: tests/clients/test_adapter_livekit.py."""

from __future__ import annotations

import importlib
import sys

import pytest

from moss_stream import MissingDependency


def test_without_it_the_error_says_how_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """It has an extra."""
    monkeypatch.setitem(sys.modules, "livekit", None)
    with pytest.raises(MissingDependency, match=r"moss-stream\[livekit\]"):
        importlib.import_module("moss_stream.adapters.livekit")
