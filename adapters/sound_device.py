"""Sound devices, as PortAudio knows them (extra: speaker)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from moss_stream import MissingDependency, SinkError

__all__ = ["import_sounddevice", "open_output", "reopen_output"]

Callback = Callable[[Any, int, Any, Any], None]
Device = str | int | None
# Of PortAudio: an invalid rate, and what older ones say of it (invalid device).
RATE_REFUSED = ((-9997,), (-9996,))


def open_output(
    device: Device,
    rate: int,
    latency_s: float,
    callback: Callback,
    finished: Callable[[], None],
    channels: int = 1,
) -> Any:
    """Open and start an output for int16.

    Args:
        device: Its name or number; None is the default device.
        rate: Wanted; a device that does not take it is opened at its own one.
        latency_s: What PortAudio buffers.
        callback: Fills a block; called on a thread of PortAudio.
        finished: Called on a thread of PortAudio when the output has stopped, for whatever reason.
        channels: Wanted; a device that has fewer is opened with those that it has.

    Returns:
        sounddevice's stream, with `samplerate`, `channels` and `latency`.

    Raises:
        MissingDependency: The library sounddevice is not installed.
        SinkError: PortAudio or the device is not there, or cannot be opened.
    """
    sounddevice = import_sounddevice()
    options: dict[str, Any] = {"dtype": "int16", "device": device, "latency": latency_s}
    options |= {"callback": callback, "finished_callback": finished}
    try:
        options["channels"] = _channels(sounddevice, device, channels)
        try:
            return _started(sounddevice, samplerate=rate, **options)
        except sounddevice.PortAudioError as error:
            own_rate = int(sounddevice.query_devices(device, "output")["default_samplerate"])
            if own_rate == rate or error.args[1:2] not in RATE_REFUSED:
                raise
            return _started(sounddevice, samplerate=own_rate, **options)
    except (sounddevice.PortAudioError, ValueError) as error:
        name = "default sound device" if device is None else f"sound device {device!r}"
        raise SinkError(
            f"The {name} cannot be opened ({error}). "
            "`moss-stream doctor` shows the devices; write to a file with -o instead."
        ) from error


def reopen_output(device: Device, open_one: Callable[[Device], Any]) -> Any:
    """Open a device that was lost; if it is not there, the default one; if that is not, any other.

    PortAudio knows the devices that were there when it was started, so what is the default by now may be
    one that has gone.

    Raises:
        SinkError: None of them can be opened.
    """
    first: SinkError | None = None
    for candidate in _candidates(device):
        try:
            return open_one(candidate)
        except SinkError as error:
            first = first or error
    assert first is not None
    raise first


def _candidates(device: Device) -> Iterator[Device]:
    yield device
    if device is not None:
        yield None
    for index, about in enumerate(import_sounddevice().query_devices()):
        if about["max_output_channels"] > 0:
            yield index


def _channels(sounddevice: Any, device: Device, wanted: int) -> int:
    if wanted == 1:  # every output has one
        return 1
    return max(1, min(wanted, int(sounddevice.query_devices(device, "output")["max_output_channels"])))


def _started(sounddevice: Any, **options: Any) -> Any:
    stream = sounddevice.RawOutputStream(**options)
    try:
        stream.start()
    except BaseException:
        stream.close()
        raise
    return stream


def import_sounddevice() -> Any:
    """Import sounddevice.

    Raises:
        MissingDependency: It is not installed.
        SinkError: It is, but PortAudio is not.
    """
    try:
        import sounddevice
    except ImportError as error:
        raise MissingDependency(
            "Playing on a sound device needs the library sounddevice", "speaker"
        ) from error
    except OSError as error:
        raise SinkError(
            "PortAudio, which plays sound, is not installed. On Debian and Ubuntu: apt install libportaudio2."
        ) from error
    return sounddevice
