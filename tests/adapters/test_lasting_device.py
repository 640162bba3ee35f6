from __future__ import annotations

import asyncio
import sys
from typing import Any

import pytest
from moss_stream.adapters import lasting_device
from moss_stream.adapters.lasting_device import LastingDevice
from sound import Device, sounddevice

from moss_stream import SinkError


class Devices:
    """Opens stand-ins; the first `absent` attempts after the first one fail."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, absent: int = 0) -> None:
        monkeypatch.setitem(sys.modules, "sounddevice", sounddevice())
        monkeypatch.setattr(lasting_device, "RETRY_S", 0.0)
        self.absent = absent
        self.opened: list[Device] = []
        self.failed: asyncio.Future[SinkError] = asyncio.get_running_loop().create_future()
        self.used = asyncio.Event()

    def open(self, device: Any) -> Device:
        if self.opened and self.absent:
            self.absent -= 1
            raise SinkError("It is not there.")
        self.opened.append(Device(samplerate=24_000, device=device))
        return self.opened[-1]

    def lasting(self, patience_s: float = 10.0) -> LastingDevice:
        return LastingDevice(
            self.open, "USB", patience_s, lambda stream: self.used.set(), self.failed.set_result
        )


async def test_a_lost_device_is_opened_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is tried until it is there; the one that was lost is closed."""
    devices = Devices(monkeypatch, absent=9)
    device = devices.lasting()
    devices.used.clear()
    device.check()
    assert len(devices.opened) == 1, "nothing happens to a device that runs"
    devices.opened[0].active = False
    device.check()
    device.check()
    await devices.used.wait()
    assert len(devices.opened) == 2 and devices.opened[0].log == ["abort", "close"]
    await device.aclose()
    await device.aclose()
    assert devices.opened[1].log == ["abort", "close"]


async def test_a_stuck_device_is_replaced(monkeypatch: pytest.MonkeyPatch) -> None:
    """One that still counts as active, but takes nothing, is given up."""
    devices = Devices(monkeypatch)
    device = devices.lasting()
    devices.used.clear()
    device.check(is_stuck=True)
    await devices.used.wait()
    assert len(devices.opened) == 2
    await device.aclose()


async def test_one_that_is_lost_again_at_once_is_replaced_too(monkeypatch: pytest.MonkeyPatch) -> None:
    """The second loss is not overlooked, although the first one is just being dealt with."""
    devices = Devices(monkeypatch)
    third = asyncio.Event()

    def use(stream: Device) -> None:
        stream.active = len(devices.opened) != 2
        if len(devices.opened) == 3:
            third.set()

    device = LastingDevice(devices.open, None, 10.0, use, devices.failed.set_result)
    devices.opened[0].active = False
    device.check()
    await third.wait()
    await device.aclose()


async def test_patience_has_an_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where no device comes, that is said, with what to do."""
    devices = Devices(monkeypatch, absent=10**9)
    device = devices.lasting(patience_s=0.0)
    devices.opened[0].active = False
    device.check()
    with pytest.raises(SinkError, match="Connect one, and open a new SpeakerSink"):
        raise await devices.failed
    await device.aclose()


async def test_closing_while_a_device_is_opened_closes_that_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """No device stays open behind the program's back."""
    devices = Devices(monkeypatch, absent=1)
    loop = asyncio.get_running_loop()
    is_opening, may_open, is_closed = asyncio.Event(), asyncio.Event(), asyncio.Event()
    opened: list[Device] = []

    class Slow(Device):
        def close(self) -> None:
            loop.call_soon_threadsafe(is_closed.set)

    def attempt(device: Any) -> Device:
        if opened:
            loop.call_soon_threadsafe(is_opening.set)
            asyncio.run_coroutine_threadsafe(may_open.wait(), loop).result()
        opened.append(Slow(samplerate=24_000))
        return opened[-1]

    device = LastingDevice(attempt, None, 10.0, lambda stream: None, devices.failed.set_result)
    opened[0].active = False
    device.check()
    await is_opening.wait()
    is_closed.clear()
    await device.aclose()
    await asyncio.sleep(0)
    is_closed.clear()
    may_open.set()
    await is_closed.wait()
    assert len(opened) == 2
