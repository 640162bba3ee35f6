"""A server as a user starts it: `moss-stream serve`, with the embedded voice."""

from __future__ import annotations

import os
import re
import subprocess
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass

import pytest


@dataclass(frozen=True)
class Server:
    """A running server."""

    address: str
    """Host and port."""

    def count(self, metric: str) -> float:
        """Return one of its figures."""
        with urllib.request.urlopen(f"http://{self.address}/metrics", timeout=60) as answer:
            text = answer.read().decode()
        found = re.search(rf"^{re.escape(metric)} (\S+)$", text, flags=re.MULTILINE)
        return float(found[1]) if found else 0.0


@pytest.fixture(scope="session")
def server() -> Iterator[Server]:
    """One for all tests."""
    command = [os.environ.get("MOSS_STREAM", "moss-stream"), "serve", "--port", "0"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        found = next(hit for line in process.stderr if (hit := re.search(r"http://(127\.0\.0\.1:\d+)", line)))
        yield Server(found[1])
        process.terminate()
