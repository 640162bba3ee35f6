from __future__ import annotations

import json
import logging
import logging.config
import sys

import pytest
from fakes import FakeEngine
from web import served
from websockets.asyncio.client import connect

from moss_stream.server.logs import LineFormatter, config

TEXT = "The secret is Rumpelstiltskin."


def record(message: str, **fields: object) -> logging.LogRecord:
    made = logging.LogRecord("moss_stream.server", logging.INFO, "f.py", 1, message, None, None)
    made.fields = fields
    return made


def test_lines_are_for_people_or_machines() -> None:
    """The same fields, as pairs or as JSON."""
    written = record("stream", via="http", audio_s=1.5, text="a b")
    line = LineFormatter().format(written)
    assert line.endswith('INFO moss_stream.server: stream via="http" audio_s=1.5 text="a b"')
    content = json.loads(LineFormatter(is_json=True).format(written))
    assert content["message"] == "stream" and content["via"] == "http" and content["level"] == "info"
    assert content["time"].endswith("+00:00")


@pytest.mark.parametrize("is_json", [True, False])
def test_keys_and_traces(is_json: bool) -> None:
    """A key in an address is never written down; what went wrong is, with its trace."""
    line = LineFormatter(is_json).format(record('"WebSocket /v1/speak?api_key=long-secret&a=1" [accepted]'))
    assert "long-secret" not in line and "a=1" in line
    failed = record("failed")
    try:
        raise ValueError("broken")
    except ValueError:
        failed.exc_info = sys.exc_info()
    line = LineFormatter(is_json).format(failed)
    assert "ValueError: broken" in line and ("\n" in line) is not is_json


def test_the_configuration_is_one_that_logging_takes(capsys: pytest.CaptureFixture[str]) -> None:
    """What a client did wrong is a line, not a trace; everything goes to standard error."""
    logging.config.dictConfig(config(is_json=False))
    try:
        b"\xff".decode()
    except UnicodeDecodeError:
        logging.getLogger("uvicorn.error").exception("Invalid UTF-8 sequence received from client.")
    logging.getLogger("moss_stream").info("loaded")
    for name in ("moss_stream", "uvicorn"):
        logging.getLogger(name).handlers.clear()
        logging.getLogger(name).propagate = True
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 2 and "INFO uvicorn.error: Invalid UTF-8" in lines[0] and "loaded" in lines[1]


@pytest.mark.parametrize("logs_texts", [True, False])
async def test_streams_are_written_down_without_their_texts(
    caplog: pytest.LogCaptureFixture, logs_texts: bool
) -> None:
    """A line for each stream, whichever way it came; the text only if that was asked for."""
    caplog.set_level(logging.INFO, "moss_stream")
    async with served(FakeEngine(frames_per_segment=5), logs_texts=logs_texts) as (client, _):
        await client.post("/v1/audio/speech", json={"input": TEXT, "response_format": "pcm"})
        url = str(client.base_url).replace("http", "ws")
        async with connect(f"{url}/v1/speak", compression=None) as socket:
            for order in ({"type": "start"}, {"type": "text", "text": TEXT}, {"type": "end"}):
                await socket.send(json.dumps(order))
            while '"done"' not in str(await socket.recv()):
                pass
            for order in ({"type": "start"}, {"type": "text", "text": "..."}, {"type": "end"}):
                await socket.send(json.dumps(order))
            while '"error"' not in str(await socket.recv()):
                pass
            await socket.send('{"type": "start"}')
            while '"started"' not in str(await socket.recv()):
                pass
    lines = [line.fields for line in caplog.records if line.message == "stream"]  # type: ignore[attr-defined]
    assert [(line["via"], line["end"]) for line in lines] == [
        ("http", "done"),
        ("socket", "done"),
        ("socket", "invalid_text"),
        ("socket", "cancelled"),
    ]
    assert lines[0]["chars"] == len(TEXT) and lines[0]["audio_s"] == pytest.approx(0.4)
    assert all(("text" in line) is logs_texts for line in lines)
    assert ("Rumpelstiltskin" in str([vars(line) for line in caplog.records])) is logs_texts


@pytest.mark.parametrize("is_json", [True, False])
def test_lines_are_short(is_json: bool) -> None:
    """A log does not grow with what is sent; texts that were asked for stay whole."""
    failed = record("x" * 10**6, text="y" * 3000)
    try:
        raise ValueError("z" * 10**6)
    except ValueError:
        failed.exc_info = sys.exc_info()
    line = LineFormatter(is_json).format(failed)
    assert len(line) < 10_000 and "y" * 3000 in line
