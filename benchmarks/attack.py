"""Hostile requests against a real server: does anything make it fail, hang or grow?

    python -m benchmarks.attack [--requests 10000] [--minutes 60] [--clients 4] [--good 0.5] [--seed 0]
        [--model FOLDER]

Starts `moss-stream serve` and sends requests with wrong, extreme and odd values in all fields of all
endpoints and of both sockets, and good ones among them if it is told to. Prints how they were answered, and
the server's memory each minute and before and after. Fails
on any status of 500 and more but 503, on an error that blames the server, on silence, on an answer that
repeats what was sent, on a server that has died, and on an ERROR or a traceback in its log.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import re
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import psutil
from websockets.asyncio.client import connect
from websockets.exceptions import WebSocketException

from benchmarks.hostile import BODIES, DEEPGRAM, MULTI, ORDERS, hostile_json, hostile_path
from benchmarks.polite import polite

WARM = 50
"""Requests before memory is looked at: what is made when it is first needed is there by then."""
SILENCE_S = 60.0
POLICY_VIOLATION = 1008
"""In ElevenLabs' errors, which have their code elsewhere."""
MAX_ERROR = 2_000
"""Characters of an answer that is no success."""
BLAMING = ("internal_error", "engine_error")
LAST = {
    "/v1/speak": '{"type": "flush", "stream": 4242}',
    "/tts/websocket": '{"context_id": "4242", "transcript": "", "continue": false}',
    DEEPGRAM: '{"type": "4242"}',
    MULTI: '{"context_id": "4242", "close_context": true}',
}
"""Answered with its number, so that everything before it was read."""


@dataclass
class Attack:
    """What was sent and what became of it.

    Attributes:
        address: Of the server.
        left: Requests to be sent.
        end_s: When to stop, by the monotonic clock.
        good: The share of good requests.
    """

    address: str
    left: int
    end_s: float
    good: float = 0.0
    answers: Counter[str] = field(default_factory=Counter)
    failures: list[str] = field(default_factory=list)

    async def client(self, seed: int) -> None:
        """Send one request after the other."""
        choose = random.Random(seed)
        async with httpx.AsyncClient(base_url=self.address, timeout=SILENCE_S) as client:
            while self.left > 0 and time.monotonic() < self.end_s:
                self.left -= 1
                try:
                    await self._one(client, choose)
                except (httpx.TimeoutException, TimeoutError):
                    self.failures.append("silence")
                except (httpx.HTTPError, OSError, WebSocketException) as error:
                    self.answers[type(error).__name__] += 1

    async def _one(self, client: httpx.AsyncClient, choose: random.Random) -> None:
        if choose.random() < self.good:
            door, end = await polite(client, self.address, choose)
            status = int(end) if end.isdigit() else 500 if end in BLAMING else 200
            self._judge(door, b"a good request", status, b"", end)
            return
        kind = choose.random()
        if kind < 0.4:
            door = choose.choice([*BODIES])
            await self._request(client, "POST", door, hostile_json(choose, BODIES[door]).encode())
        elif kind < 0.8:
            await self._talk(choose, choose.choice([*ORDERS]))
        elif kind < 0.9:
            method = choose.choice(["GET", "POST", "DELETE", "PUT", "HEAD", "OPTIONS"])
            await self._request(client, method, hostile_path(choose), choose.randbytes(choose.randrange(300)))
        else:
            await self._upload(client, choose)

    async def _request(self, client: httpx.AsyncClient, method: str, door: str, body: bytes) -> None:
        headers = {"Content-Type": "application/json"}
        async with client.stream(method, door, content=body, headers=headers) as answer:
            if answer.status_code == 200:  # the beginning is enough; leaving stops the model
                await anext(answer.aiter_bytes(), b"")
            self._judge(door, body, answer.status_code, b"" if answer.is_success else await answer.aread())

    async def _upload(self, client: httpx.AsyncClient, choose: random.Random) -> None:
        sound = choose.choice([b"", b"RIFF", choose.randbytes(5000), b"fLaC" + choose.randbytes(200)])
        content = {
            "name": choose.choice(["a", "A" * 200, "\0", ".."]),
            "consent": choose.choice(["", "yes", "x" * 5000]),
        }
        answer = await client.post("/v1/audio/voices", data=content, files={"audio": sound})
        self._judge("/v1/audio/voices", sound, answer.status_code, answer.content)

    async def _talk(self, choose: random.Random, door: str) -> None:
        orders = [hostile_json(choose, choose.choice(ORDERS[door])) for _ in range(choose.randrange(1, 5))]
        orders[0] = hostile_json(choose, ORDERS[door][0])
        async with asyncio.timeout(SILENCE_S), connect(self.address.replace("http", "ws") + door) as socket:
            for order in [*orders, LAST[door]]:
                await socket.send(order)
            async for message in socket:
                if isinstance(message, bytes):
                    continue
                code = _code(json.loads(message))
                self._judge(
                    door, "".join(orders).encode(), 500 if code in BLAMING else 200, message.encode(), code
                )
                if "4242" in message:
                    return

    def _judge(self, door: str, sent: bytes, status: int, answer: bytes, code: str = "") -> None:
        self.answers[f"{door.partition('?')[0][:20]} {code or status}"] += 1
        is_long = code not in ("", "ok") or status >= 400
        if (status >= 500 and status != 503) or (is_long and len(answer) > MAX_ERROR):
            self.failures.append(f"{door[:60]} {status} {answer[:200]!r} to {sent[:400]!r}")


def _code(content: dict[str, Any]) -> str:
    """Return what a message says is wrong, in whatever protocol."""
    code = content.get("error_code") or content.get("code") or "ok"
    return str(content["error"] if code == POLICY_VIOLATION else code)


async def attack(
    requests: int, minutes: float, clients: int, good: float, seed: int, model: str | None
) -> bool:
    """Run, print what was seen; return whether all was well."""
    options = [] if model is None else ["--model", model]
    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder) / "log"
        with log.open("wb") as file:
            command = [
                "-c",
                "from moss_stream.cli.app import main; main()",
                "serve",
                "--port",
                "0",
                "--voices",
                folder,
                *options,
            ]
            process = await asyncio.create_subprocess_exec(sys.executable, *command, stderr=file)
        try:
            made = Attack(await _address(log, process), WARM, time.monotonic() + 60 * minutes, good)
            memory = psutil.Process(process.pid).memory_info
            await _run(made, clients, seed)
            before = memory().rss
            made.left = requests - WARM
            watching = asyncio.create_task(_watch(process.pid))
            await _run(made, clients, seed + clients)
            watching.cancel()
            is_alive = process.returncode is None
            return _report(
                made, before, memory().rss if is_alive else 0, log.read_text(errors="replace"), is_alive
            )
        finally:
            if process.returncode is None:
                process.terminate()
            await process.wait()


async def _run(made: Attack, clients: int, seed: int) -> None:
    await asyncio.gather(*(made.client(seed + number) for number in range(clients)))


async def _watch(pid: int) -> None:
    """Print the memory of a process each minute."""
    minute = 0
    while True:
        print(f"{minute} min: {psutil.Process(pid).memory_info().rss / 2**20:.1f} MiB", flush=True)
        await asyncio.sleep(60)
        minute += 1


async def _address(log: Path, process: asyncio.subprocess.Process) -> str:
    while process.returncode is None:
        if found := re.search(r"http://127\.0\.0\.1:\d+", await asyncio.to_thread(log.read_text)):
            return found[0]
        await asyncio.sleep(0.1)
    raise SystemExit(f"The server did not start:\n{await asyncio.to_thread(log.read_text)}")


def _report(made: Attack, before: int, after: int, log: str, is_alive: bool) -> bool:
    for answer, count in sorted(made.answers.items()):
        print(f"{count:7} {answer}")
    blamed = [line for line in log.splitlines() if " ERROR " in line or line.startswith("Traceback")]
    print(f"requests not sent for lack of time: {max(0, made.left)}")
    print(f"memory: {before / 2**20:.1f} MiB after {WARM} requests, {after / 2**20:.1f} MiB at the end")
    print(f"failures: {len(made.failures)}, lines in the log: {len(blamed)}, alive: {is_alive}")
    for line in [*made.failures[:20], *blamed[:20]]:
        print("  ", line[:800])
    return is_alive and not made.failures and not blamed


def main() -> None:
    """Parse the command line and run."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--requests", type=int, default=10_000)
    parser.add_argument("--minutes", type=float, default=60)
    parser.add_argument("--clients", type=int, default=4)
    parser.add_argument("--good", type=float, default=0.0)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--model")
    args = parser.parse_args()
    if not asyncio.run(attack(args.requests, args.minutes, args.clients, args.good, args.seed, args.model)):
        raise SystemExit(1)


if __name__ == "__main__":
    main()
