"""A stand-in for sounddevice and its streams: the border to PortAudio."""

from __future__ import annotations

from collections.abc import Callable
from types import ModuleType
from typing import Any


class PortAudioError(Exception):
    """As sounddevice has it."""


class Device:
    """A stand-in for sounddevice.RawOutputStream."""

    latency = 0.0

    def __init__(self, **options: Any) -> None:
        self.options = options
        self.samplerate = options["samplerate"]
        self.channels = options.get("channels", 1)
        self.active = True
        self.log: list[str] = []

    def start(self) -> None:
        self.log.append("start")

    def abort(self) -> None:
        self.log.append("abort")

    def close(self) -> None:
        self.log.append("close")

    def go(self) -> None:
        """Be unplugged."""
        self.active = False
        self.options["finished_callback"]()

    def pull(self, samples: int) -> list[int]:
        """Ask for samples as PortAudio does; return them: those of the channels take turns."""
        out = bytearray(b"\xaa" * (2 * self.channels * samples))
        self.options["callback"](memoryview(out), samples, None, None)
        return memoryview(out).cast("h").tolist()


def sounddevice(
    make: Callable[..., Device] = Device, own_rate: float = 48_000.0, channels: int = 2
) -> ModuleType:
    """A stand-in for the library, with two outputs of so many channels and a microphone."""
    outputs = {"max_output_channels": channels, "default_samplerate": own_rate}
    devices = [outputs, {"max_output_channels": 0, "default_samplerate": own_rate}, outputs]

    def query_devices(device: object = None, kind: str | None = None) -> Any:
        if device == "no such":
            raise ValueError("No output device matching 'no such'")
        return outputs if kind == "output" else devices

    module = ModuleType("sounddevice")
    vars(module).update(RawOutputStream=make, PortAudioError=PortAudioError, query_devices=query_devices)
    return module
