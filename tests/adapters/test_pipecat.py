"""Without Pipecat; with it: tests/clients/test_adapter_pipecat.py."""

from __future__ import annotations

import importlib
import sys

import pytest

from moss_stream import MissingDependency


def test_without_it_the_error_says_how_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """It has an extra."""
    monkeypatch.setitem(sys.modules, "pipecat", None)
    with pytest.raises(MissingDependency, match=r"moss-stream\[pipecat\]"):
        importlib.import_module("moss_stream.adapters.pipecat")
