"""What `moss-stream doctor` shows."""

from __future__ import annotations

import os
import platform
from collections.abc import Iterator

import psutil

import moss_stream
from moss_stream.config import EngineOptions
from moss_stream.embedded import embedded_model
from moss_stream.errors import MossError
from moss_stream.families.family import FAMILIES

__all__ = ["diagnose"]


def diagnose() -> Iterator[tuple[str, str]]:
    """Yield what was looked at and what was found."""
    yield "moss-stream", moss_stream.__version__
    yield "python", f"{platform.python_version()} on {platform.system()} {platform.machine()}"
    memory = psutil.virtual_memory()
    yield (
        "memory",
        f"{memory.available / 2**30:.1f} GiB free of {memory.total / 2**30:.1f}, {os.cpu_count()} cores",
    )
    yield from _torch()
    yield "sound", _sound()
    yield "model", _model()
    yield "families", "; ".join(family.name for family in FAMILIES)


def _torch() -> Iterator[tuple[str, str]]:
    try:
        import torch

        from moss_stream.engine.choose_compute import why_not_compiled
        from moss_stream.engine.device import choose_device, choose_dtype
        from moss_stream.engine.processor import describe_features, describe_weights
        from moss_stream.engine.trial import measure
        from moss_stream.kernels.choose import try_kernels
    except (ImportError, OSError) as error:
        yield "torch", f"cannot be imported ({error}): pip install torch"
        return
    yield "torch", f"{torch.__version__}, {torch.get_num_threads()} threads"
    yield "cpu", describe_features()
    yield "weights", f"large ones on the CPU: {describe_weights()}"
    for index in range(torch.cuda.device_count()):
        free, total = torch.cuda.mem_get_info(index)
        name = torch.cuda.get_device_name(index)
        yield f"cuda:{index}", f"{name}, {free / 2**30:.1f} GiB free of {total / 2**30:.1f}"
    device = choose_device("auto")
    dtype = str(choose_dtype("auto", device)).removeprefix("torch.")
    yield "chosen", f"device {device}, speech model in {dtype}, codec in float32"
    if device.type == "cpu":
        yield "measured", measure().summary
        yield "frames", _frames(why_not_compiled(device, EngineOptions()))
    if device.type == "cuda":
        found = try_kernels(device, choose_dtype("auto", device))
        yield "kernels", f"PyTorch's ({found})" if isinstance(found, str) else "ours, by Triton"


def _frames(problem: str | None) -> str:
    if problem is not None:
        return f"by PyTorch: {problem}"
    return "compiled for this CPU, in float32: of small models, and of large ones where that is faster"


def _model() -> str:
    try:
        return f"without --model, the embedded voice in {embedded_model()}"
    except MossError:
        return "this version comes without a voice of its own: name a model with --model"


def _sound() -> str:
    try:
        from moss_stream.adapters.sound_device import import_sounddevice

        sounddevice = import_sounddevice()
        name = sounddevice.query_devices(kind="output")["name"]
        return f"{sounddevice.get_portaudio_version()[1]}, default device {name!r}"
    except MossError as error:
        return str(error)
    except (
        Exception
    ) as error:  # PortAudioError when there is not a device; its class needs PortAudio to import
        return f"PortAudio is there, but no output device ({error})"
