"""A server as a user starts it: `moss-stream serve`, with the embedded voice."""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import ssl
import subprocess
import threading
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import trustme


@dataclass(frozen=True)
class Server:
    """A running server."""

    address: str
    """Host and port."""
    wyoming: str
    """Of the port for Home Assistant."""

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
    command += ["--wyoming", "tcp://127.0.0.1:0"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        found: dict[str, str] = {}
        for line in process.stderr:
            found |= {hit[1]: hit[2] for hit in re.finditer(r"(tcp|http)://(127\.0\.0\.1:\d+)", line)}
            if "http" in found:  # the last one to be told
                break
        yield Server(found["http"], found["tcp"])
        process.terminate()


@pytest.fixture
def secure_server(server: Server, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[str]:
    """The address of the same server behind TLS, as a proxy gives it to clients that want nothing else."""
    authority, context = trustme.CA(), ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.pem"))
    host, _, port = server.address.partition(":")

    async def copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            while data := await reader.read(65_536):
                writer.write(data)
                await writer.drain()
        writer.close()

    async def join(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        inner_reader, inner_writer = await asyncio.open_connection(host, int(port))
        await asyncio.gather(copy(reader, inner_writer), copy(inner_reader, writer))

    loop = asyncio.new_event_loop()
    proxy = loop.run_until_complete(asyncio.start_server(join, "127.0.0.1", 0, ssl=context))
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    yield f"https://127.0.0.1:{proxy.sockets[0].getsockname()[1]}"
    loop.call_soon_threadsafe(proxy.close)
    loop.call_soon_threadsafe(loop.stop)
    thread.join()
