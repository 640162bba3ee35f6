from __future__ import annotations

import importlib.abc
import sys
from collections.abc import Sequence
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any

import pytest
from moss_stream.adapters.sound_device import open_output, reopen_output
from sound import Device, PortAudioError, sounddevice

from moss_stream import MissingDependency, SinkError


def opened(device: str | int | None = None) -> Any:
    return open_output(device, 24_000, 0.06, lambda *block: None, lambda: None)


def use(monkeypatch: pytest.MonkeyPatch, module: ModuleType | None) -> None:
    monkeypatch.setitem(sys.modules, "sounddevice", module)


def test_it_is_opened_for_mono_at_the_wanted_rate(monkeypatch: pytest.MonkeyPatch) -> None:
    """The device is asked for 24 kHz mono int16, with the given name and latency, and started."""
    use(monkeypatch, sounddevice())
    stream = opened("USB")
    wanted = {"samplerate": 24_000, "channels": 1, "dtype": "int16", "device": "USB", "latency": 0.06}
    assert wanted.items() <= stream.options.items() and stream.log == ["start"]


def test_a_device_with_another_rate_gets_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    """What refuses 24 kHz is opened at the rate it names."""

    class Only48(Device):
        def __init__(self, **options: Any) -> None:
            if options["samplerate"] != 48_000:
                raise PortAudioError("Invalid sample rate", -9997)
            super().__init__(**options)

    use(monkeypatch, sounddevice(Only48))
    assert opened().samplerate == 48_000


@pytest.mark.parametrize("own_rate", [24_000.0, 48_000.0])
def test_a_device_that_refuses_everything_is_a_sink_error(
    monkeypatch: pytest.MonkeyPatch, own_rate: float
) -> None:
    """The error has the device's name and the reason."""

    def fail(**options: Any) -> Device:
        raise PortAudioError("Invalid sample rate", -9997)

    use(monkeypatch, sounddevice(fail, own_rate))
    with pytest.raises(SinkError, match=r"'x' cannot be opened .*Invalid sample rate") as caught:
        opened("x")
    assert "moss-stream doctor" in str(caught.value)


def test_a_name_that_nobody_has(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is said that no device matches."""

    def fail(**options: Any) -> Device:
        raise ValueError(f"No output device matching {options['device']!r}")

    use(monkeypatch, sounddevice(fail))
    with pytest.raises(SinkError, match="No output device matching 'no such'"):
        opened("no such")


def test_a_device_that_does_not_start_is_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    """The default device that opens but does not start is given back, and the error says which it was."""

    class Busy(Device):
        def start(self) -> None:
            devices.append(self)
            raise PortAudioError("Device unavailable", -9985)

    devices: list[Device] = []
    use(monkeypatch, sounddevice(Busy))
    with pytest.raises(SinkError, match=r"^The default sound device cannot be opened .*Device unavailable"):
        opened()
    assert [device.log for device in devices] == [["close"]]


def test_in_place_of_a_lost_device_another_one_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    """First the same, then the default one, then what can play; if nothing can, the first reason is said."""
    use(monkeypatch, sounddevice())
    tried: list[object] = []

    def attempt(device: str | int | None) -> Any:
        tried.append(device)
        if device != 2:
            raise SinkError(f"{device} is not there")
        return "a stream"

    assert reopen_output("USB", attempt) == "a stream" and tried == ["USB", None, 0, 2]

    def fail(device: str | int | None) -> Any:
        raise SinkError(f"{device} is not there")

    with pytest.raises(SinkError, match="USB is not there"):
        reopen_output("USB", fail)


def test_without_sounddevice(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the library the error names the command that installs it."""
    use(monkeypatch, None)
    with pytest.raises(MissingDependency, match=r"pip install moss-stream\[speaker\]"):
        opened()


class NoPortAudio(importlib.abc.MetaPathFinder):
    """Finds a sounddevice that fails as the library does where PortAudio is not installed."""

    def find_spec(
        self, name: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if name == "sounddevice":
            raise OSError("PortAudio library not found")
        return None


def test_without_portaudio(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without PortAudio the error says what to install."""
    monkeypatch.delitem(sys.modules, "sounddevice", raising=False)
    monkeypatch.setattr(sys, "meta_path", [NoPortAudio(), *sys.meta_path])
    with pytest.raises(SinkError, match="apt install libportaudio2"):
        opened()


@pytest.mark.parametrize(
    ("has", "wanted", "opened_with"), [(2, 2, 2), (1, 2, 1), (8, 2, 2), (0, 2, 1), (2, 1, 1)]
)
def test_a_device_is_opened_with_the_channels_that_it_has(
    monkeypatch: pytest.MonkeyPatch, has: int, wanted: int, opened_with: int
) -> None:
    """Stereo where there is stereo; a device with one channel is opened all the same."""
    use(monkeypatch, sounddevice(channels=has))
    stream = open_output(None, 48_000, 0.06, lambda *block: None, lambda: None, wanted)
    assert stream.channels == opened_with
