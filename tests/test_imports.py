"""Who may import whom (the layout's rules), read from the source."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
MODULES = sorted([*(ROOT / "moss_stream").rglob("*.py"), *(ROOT / "adapters").glob("*.py")])

# May import torch: the networks, and what drives them on the device.
TORCH = {
    f"engine/{name}.py"
    for name in (
        "choose_compute",
        "chunk",
        "device",
        "generator",
        "graph",
        "local",
        "prefix_store",
        "processor",
        "trial",
        "vocoder",
    )
}
# They take the weights out of modules; what they build is NumPy's.
CPU_BUILDERS = {"cpu/build.py", "cpu/build_codec.py"}
NO_TORCH_MODELS = {"models/__init__.py", "models/config.py"}
# Not in text/: whatever waits, runs beside or looks at a clock.
IMPURE = {"asyncio", "threading", "time", "concurrent", "socket", "torch", "queue"}
# Optional libraries; adapters import them where they are used.
OPTIONAL = {"sounddevice", "aiortc", "av", "websockets", "fastapi", "uvicorn"}


def name(path: Path) -> str:
    return str(path.relative_to(ROOT)).removeprefix("moss_stream/")


def imported(path: Path, top_level_only: bool = False) -> set[str]:
    """Return the full names of modules that a file imports."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    nodes = tree.body if top_level_only else ast.walk(tree)
    found = set()
    for node in nodes:
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module)
    return found


def packages(path: Path, top_level_only: bool = False) -> set[str]:
    return {module.partition(".")[0] for module in imported(path, top_level_only)}


def ours(path: Path) -> set[str]:
    return {
        module.removeprefix("moss_stream.") for module in imported(path) if module.startswith("moss_stream")
    }


@pytest.mark.parametrize("path", MODULES, ids=name)
def test_torch_stays_in_its_place(path: Path) -> None:
    """Only models/, kernels/, what builds cpu/ and the device's side of engine/ import torch at their top."""
    is_model = name(path).startswith("models/") and name(path) not in NO_TORCH_MODELS
    is_array = name(path).startswith("kernels/") or name(path) in TORCH | CPU_BUILDERS
    allowed = is_model or is_array
    assert allowed or "torch" not in packages(path, top_level_only=True)


@pytest.mark.parametrize("path", [p for p in MODULES if name(p).startswith("text/")], ids=name)
def test_text_is_pure(path: Path) -> None:
    """text/ has no torch, asyncio, threads or clock, and knows of no engine."""
    assert not packages(path) & IMPURE
    assert not {m for m in ours(path) if m.startswith(("engine", "stream", "synthesizer", "sinks"))}
    assert {m for m in ours(path) if m.startswith("models")} <= {"models.config"}


@pytest.mark.parametrize("path", [p for p in MODULES if name(p).startswith("models/")], ids=name)
def test_models_know_no_engine(path: Path) -> None:
    """models/ are functions of tensors: no asyncio, no threads, nothing of ours above them."""
    assert not packages(path) & (IMPURE - {"torch"})
    assert {m.partition(".")[0] for m in ours(path)} <= {"models", "config", "errors", "hub", "quote"}


@pytest.mark.parametrize("path", [p for p in MODULES if name(p).startswith("cpu/")], ids=name)
def test_compiled_loops_know_models_only(path: Path) -> None:
    """cpu/ are functions of arrays: nothing else of ours, but where the arrays are taken from models/."""
    allowed = {"cpu", "models"} if name(path) in CPU_BUILDERS else {"cpu"}
    assert {m.partition(".")[0] for m in ours(path)} <= allowed
    assert not packages(path) & (IMPURE - {"torch"})


@pytest.mark.parametrize("path", [p for p in MODULES if name(p).startswith("kernels/")], ids=name)
def test_kernels_know_models_only(path: Path) -> None:
    """kernels/ compute what models/ define; what chooses them does without Triton."""
    assert {m.partition(".")[0] for m in ours(path)} <= {"kernels", "models", "config"}
    assert name(path) != "kernels/choose.py" or "moss_stream.kernels.ops" not in imported(path, True)


@pytest.mark.parametrize("path", [p for p in MODULES if name(p).startswith("adapters/")], ids=name)
def test_adapters_use_public_names_only(path: Path) -> None:
    """adapters/ import what moss_stream exports, the wire format, and their own library where it is used."""
    assert ours(path) <= {"moss_stream", "wire"}
    assert not packages(path, top_level_only=True) & OPTIONAL


def test_no_cycles() -> None:
    """The modules import each other in one direction."""
    graph = {
        "moss_stream." + name(p)[:-3].replace("/", "."): imported(p, top_level_only=True) for p in MODULES
    }
    done: set[str] = set()

    def visit(module: str, path: tuple[str, ...]) -> None:
        assert module not in path, " -> ".join((*path, module))
        if module in graph and module not in done:
            for other in graph[module]:
                visit(other, (*path, module))
            done.add(module)

    for module in graph:
        visit(module, ())


IMPORT = """
import sys
import moss_stream
heavy = {"torch", "huggingface_hub", "soundfile", "soxr", "sounddevice", "jinja2", "rich", "typer"}
print(sorted(heavy & set(sys.modules)))
"""


def test_importing_the_package_is_light() -> None:
    """`import moss_stream` loads no torch and no other heavy library."""
    run = subprocess.run([sys.executable, "-c", IMPORT], check=True, capture_output=True, text=True)
    assert run.stdout.strip() == "[]"
