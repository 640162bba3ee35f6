"""A PulseAudio daemon of its own, with a null sink whose monitor is recorded."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

MISSING = [name for name in ("pulseaudio", "parec") if shutil.which(name) is None]
needs_pulse = pytest.mark.skipif(bool(MISSING), reason=f"not installed: {', '.join(MISSING)}")

ALSA = "</usr/share/alsa/alsa.conf>\npcm.!default { type pulse }\nctl.!default { type pulse }\n"


class Pulse:
    """The daemon; `norewinds` keeps its latency short from the first second on.

    Args:
        folder: For its socket and settings.
        rate: Of the null sink.
    """

    def __init__(self, folder: Path, rate: int = 24_000) -> None:
        self._folder = folder
        self.rate = rate
        (folder / "asound.conf").write_text(ALSA)
        self.environment = {
            "HOME": str(folder),
            "XDG_RUNTIME_DIR": str(folder),
            "PULSE_SERVER": f"unix:{folder}/native",
            "ALSA_CONFIG_PATH": str(folder / "asound.conf"),
        }
        self._process: asyncio.subprocess.Process | None = None

    async def start(self) -> None:
        """Start it, and wait until it listens."""
        native = f"module-native-protocol-unix auth-anonymous=1 socket={self._folder}/native"
        null = f"module-null-sink sink_name=moss rate={self.rate} channels=1 norewinds=1"
        options = [
            "-n",
            "--daemonize=no",
            "--exit-idle-time=-1",
            "--disable-shm=yes",
            "-L",
            native,
            "-L",
            null,
        ]
        self._process = await asyncio.create_subprocess_exec(
            "pulseaudio", *options, env={**os.environ, **self.environment}, stderr=subprocess.DEVNULL
        )
        while await self._run("pactl", "info"):
            await asyncio.sleep(0.01)

    async def stop(self) -> None:
        """Kill it, as an unplugged device goes: without a word."""
        assert self._process is not None
        self._process.kill()
        await self._process.wait()

    async def _run(self, *command: str) -> int:
        process = await asyncio.create_subprocess_exec(
            *command,
            env={**os.environ, **self.environment},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        return await process.wait()

    @asynccontextmanager
    async def recorded(self) -> AsyncIterator[Recording]:
        """Record what the null sink plays."""
        options = ["-d", "moss.monitor", "--latency-msec=5", "--format=s16le", "--channels=1", "--raw"]
        process = await asyncio.create_subprocess_exec(
            "parec",
            *options,
            f"--rate={self.rate}",
            env={**os.environ, **self.environment},
            stdout=subprocess.PIPE,
        )
        recording = Recording(process)
        try:
            await recording.reach(1)
            yield recording
        finally:
            with contextlib.suppress(ProcessLookupError):  # it ends by itself with the daemon
                process.kill()
            await recording.end()
            await process.wait()


class Recording:
    """What was heard so far; its length is the clock of a test."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        assert process.stdout is not None
        self._stream = process.stdout
        self._pcm = bytearray()
        self._grown = asyncio.Event()
        self._reading = asyncio.create_task(self._read())

    @property
    def samples(self) -> npt.NDArray[np.int16]:
        """All of it."""
        return np.frombuffer(bytes(self._pcm[: len(self._pcm) // 2 * 2]), dtype="<i2")

    async def reach(self, samples: int) -> None:
        """Wait until that many samples were heard."""
        while len(self._pcm) < 2 * samples:
            self._grown.clear()
            await self._grown.wait()

    async def end(self) -> None:
        """Read what is left."""
        await self._reading

    async def _read(self) -> None:
        while data := await self._stream.read(1 << 16):
            self._pcm += data
            self._grown.set()
