from __future__ import annotations

import asyncio
import json
import re
import resource
import signal
import subprocess
import sys
import urllib.request

import pytest
from limits import HANG_S
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosedError

from moss_stream.cli.app import main
from moss_stream.server.run import allow_files

COMMAND = [sys.executable, "-c", "from moss_stream.cli.app import main; main()", "serve", "--port", "0"]


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
        with urllib.request.urlopen(request, timeout=HANG_S) as answer:
            assert answer.read().startswith(b"RIFF")
        process.send_signal(signal.SIGTERM)
        rest = "".join(lines)
        assert process.wait(HANG_S) in (0, -signal.SIGTERM) and "Traceback" not in rest


async def test_a_server_that_is_stopped_lets_streams_end() -> None:
    """What is being said over a socket is said to its end; only then does the socket close."""
    process = await asyncio.create_subprocess_exec(*COMMAND, stderr=asyncio.subprocess.PIPE)
    assert process.stderr is not None
    found = None
    while found is None:
        found = re.search(rb"http(://127\.0\.0\.1:\d+)", await process.stderr.readline())
    heard, kinds = 0.0, list[str]()
    async with connect(f"ws{found[1].decode()}/v1/speak", compression=None) as socket:
        for order in ('{"type": "start"}', '{"type": "text", "text": "Good morning."}', '{"type": "end"}'):
            await socket.send(order)
        with pytest.raises(ConnectionClosedError, match="1012"):
            async for message in socket:
                if isinstance(message, bytes):
                    if not heard:
                        process.terminate()
                    heard += (len(message) - 20) / 48_000
                else:
                    kinds.append(json.loads(message)["type"])
    assert heard > 0.4 and kinds[-1] == "done"
    assert b"Traceback" not in await process.stderr.read()
    await process.wait()


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("--port", "65536"),
        ("--streams-per-key", "0"),
        ("--max-streams", "9" * 400),
        ("--max-queue", "-1"),
        ("--max-queue-s", "0"),
        ("--max-queue-s", "nan"),
    ],
)
def test_a_number_out_of_range_is_named(
    option: str, value: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """In a short sentence, before anything is loaded or listens."""
    monkeypatch.setattr(sys, "argv", ["moss-stream", "serve", option, value])
    with pytest.raises(SystemExit):
        main()
    said = capsys.readouterr().err
    assert option.lstrip("-").replace("-", "_") in said.replace("-", "_") and len(said) < 400, said


@pytest.mark.parametrize("arguments", [["--host", "0.0.0.0"], ["--api-key", "short"]])
def test_an_unsafe_server_does_not_start(arguments: list[str]) -> None:
    """The error says what is missing."""
    run = subprocess.run([*COMMAND, *arguments], capture_output=True, text=True, timeout=HANG_S)
    assert run.returncode == 1 and "key" in run.stderr and "Traceback" not in run.stderr


def test_connections_are_not_turned_away_by_the_system() -> None:
    """As many files may be open as connections are served; more than that stay allowed."""
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (200, before[1]))
        for wanted, soft in ((150, 200), (300, 300)):
            allow_files(wanted)
            assert resource.getrlimit(resource.RLIMIT_NOFILE) == (soft, before[1])
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)
