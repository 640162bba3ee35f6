from __future__ import annotations

import re
import signal
import subprocess
import sys
import urllib.request

import pytest

COMMAND = [sys.executable, "-c", "from moss_stream.cli import main; main()", "serve", "--port", "0"]


def test_a_server_runs_until_it_is_asked_to_stop() -> None:
    """Started as a user would, with the embedded voice, it speaks; SIGTERM ends it in order."""
    with subprocess.Popen(COMMAND, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        lines = iter(process.stderr)
        address = next(found[0] for line in lines if (found := re.search(r"http://127\.0\.0\.1:\d+", line)))
        request = urllib.request.Request(
            f"{address}/v1/audio/speech",
            b'{"input": "Good morning.", "response_format": "wav"}',
            {"Content-Type": "application/json"},
        )
        with urllib.request.urlopen(request, timeout=10) as answer:
            assert answer.read().startswith(b"RIFF")
        process.send_signal(signal.SIGTERM)
        rest = "".join(lines)
        assert process.wait(10) in (0, -signal.SIGTERM) and "Traceback" not in rest


@pytest.mark.parametrize("arguments", [["--host", "0.0.0.0"], ["--api-key", "short"]])
def test_an_unsafe_server_does_not_start(arguments: list[str]) -> None:
    """The error says what is missing."""
    run = subprocess.run([*COMMAND, *arguments], capture_output=True, text=True, timeout=15)
    assert run.returncode == 1 and "key" in run.stderr and "Traceback" not in run.stderr
