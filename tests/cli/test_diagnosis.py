from __future__ import annotations

import sys
from pathlib import Path
from types import ModuleType

import pytest
import torch
from typer.testing import CliRunner

import moss_stream
from moss_stream import Use
from moss_stream.cli.app import app
from moss_stream.cli.diagnosis import diagnose
from moss_stream.engine.trial import Trial
from moss_stream.families.catalog import CATALOG
from moss_stream.families.delay.kinds import kind_of


class PortAudioError(Exception):
    """As sounddevice has it."""


def sounddevice(*, has_output: bool) -> ModuleType:
    """A stand-in for the library, with or without an output device."""

    def query_devices(device: int | None = None, kind: str | None = None) -> dict[str, str]:
        if not has_output:
            raise PortAudioError("Error querying device -1")
        return {"name": f"the {kind}"}

    module = ModuleType("sounddevice")
    vars(module).update(
        query_devices=query_devices,
        get_portaudio_version=lambda: (1, "PortAudio V19"),
        PortAudioError=PortAudioError,
    )
    return module


@pytest.fixture(autouse=True)
def _no_sounddevice(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the library, unless a test has its own."""
    monkeypatch.setitem(sys.modules, "sounddevice", None)


def test_the_machine_is_shown() -> None:
    """Versions, memory and what would be chosen are there, each with something to read."""
    found = dict(diagnose())
    assert found["moss-stream"] == moss_stream.__version__
    assert torch.__version__ in found["torch"] and "GiB free" in found["memory"]
    assert "speech model in" in found["chosen"] and "--model" in found["model"]
    assert "; PyTorch computes with " in found["cpu"] and "float32 p" in found["weights"]
    assert all(found.values())


def test_on_a_cpu_the_choice_comes_with_its_measurement(monkeypatch: pytest.MonkeyPatch) -> None:
    """What `auto` takes is what was faster, and the figures are there to see."""
    monkeypatch.setattr("moss_stream.engine.device.measure", lambda: Trial((1.0, 2.0), (0.5, 9.0)))
    monkeypatch.setattr("moss_stream.engine.trial.measure", lambda: Trial((1.0, 2.0), (0.5, 9.0)))
    monkeypatch.setattr("moss_stream.engine.device.choose_device", lambda name: torch.device("cpu"))
    found = dict(diagnose())
    assert "speech model in float32" in found["chosen"]
    assert found["frames"].startswith("compiled for this CPU, in float32")
    assert "1.00 ms in float32 and 0.50 in bfloat16, of 16 rows 2.00 and 9.00" in found["measured"]


def test_without_numba_pytorch_computes_frames(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is said why, and how to install it."""
    monkeypatch.setattr("moss_stream.engine.device.choose_device", lambda name: torch.device("cpu"))
    monkeypatch.setitem(sys.modules, "moss_stream.cpu.linear", None)
    assert "by PyTorch: Numba cannot be imported" in dict(diagnose())["frames"]


def test_a_gpu_is_listed_with_its_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each CUDA device has a line with its name and memory."""
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda index: (3 * 2**30, 8 * 2**30))
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda index: f"Card {index}")
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda **options: False)
    found = dict(diagnose())
    assert found["cuda:0"] == "Card 0, 3.0 GiB free of 8.0"
    assert "device cuda" in found["chosen"] and "float16" in found["chosen"]
    assert found["kernels"].startswith("PyTorch's ("), "there is no such card"


def test_kernels_that_are_right_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """On a GPU that computes with them what PyTorch computes."""
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda index: (3 * 2**30, 8 * 2**30))
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda index: "Card")
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda **options: True)
    monkeypatch.setattr("moss_stream.kernels.choose.try_kernels", lambda device, dtype: object())
    assert dict(diagnose())["kernels"] == "ours, by Triton"


def test_a_missing_torch_does_not_end_the_diagnosis(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where torch does not import the line says so, and the rest is still shown."""
    monkeypatch.setitem(sys.modules, "torch", None)
    found = dict(diagnose())
    assert "cannot be imported" in found["torch"] and "pip install torch" in found["torch"]
    assert "chosen" not in found and found["sound"]


def test_without_sounddevice() -> None:
    """The sound line gives the command that installs what is missing."""
    assert "pip install moss-stream[speaker]" in dict(diagnose())["sound"]


def test_with_a_loudspeaker(monkeypatch: pytest.MonkeyPatch) -> None:
    """The sound line names the device that would play."""
    monkeypatch.setitem(sys.modules, "sounddevice", sounddevice(has_output=True))
    assert dict(diagnose())["sound"] == "PortAudio V19, default device 'the output'"


def test_without_a_loudspeaker(monkeypatch: pytest.MonkeyPatch) -> None:
    """On a machine without a device the sound line says so instead of failing."""
    monkeypatch.setitem(sys.modules, "sounddevice", sounddevice(has_output=False))
    assert "no output device (Error querying device -1)" in dict(diagnose())["sound"]


@pytest.mark.parametrize("command", ["doctor", "download"])
def test_the_family_is_listed(command: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """What there is to download, how large it is, and what for."""
    monkeypatch.setenv("COLUMNS", "200")
    result = CliRunner().invoke(app, [command])
    assert result.exit_code == 0
    for model in CATALOG:
        assert model.repository in result.output and f"{model.gigabytes:.1f} GB" in result.output
        assert model.purpose in result.output


def test_every_use_has_a_model() -> None:
    """And every model is one that its family takes for what the list says."""
    assert frozenset().union(*(model.uses for model in CATALOG)) == frozenset(Use)
    raw = {"language_config": {"hidden_size": 4096}, "n_vq": 32}
    for model in CATALOG:
        kind = kind_of(Path(model.name), raw)
        assert kind.uses == model.uses or "Local" in model.name or "Realtime" in model.name
