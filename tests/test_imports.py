"""Who may import whom (the layout's rules), read from the source."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
MODULES = sorted([*(ROOT / "moss_stream").rglob("*.py"), *(ROOT / "adapters").glob("*.py")])

# May import torch at their top: the networks, and what drives them on the device.
TORCH = {
    *(
        f"families/{family}/{name}.py"
        for family in ("delay", "local", "local_v15", "realtime")
        for name in ("depth", "load", "network", "pattern", "weights")
    ),
    *(f"families/{name}.py" for name in ("loading", "row_network")),
    *(f"checkpoint/{name}.py" for name in ("plan", "reader")),
    *(
        f"engine/{name}.py"
        for name in (
            "aligner",
            "capture",
            "choose_compute",
            "chunk",
            "delayed",
            "device",
            "generator",
            "load",
            "prefix_store",
            "processor",
            "speech_engine",
            "trial",
            "vocoder",
        )
    ),
    # They take the weights out of modules; what they build is NumPy's.
    "cpu/build.py",
    "cpu/build_codec.py",
}
TORCH_PACKAGES = ("nn/", "codec/", "kernels/")
NO_TORCH = {"nn/__init__.py", "nn/config.py", "codec/__init__.py", "kernels/__init__.py"}
NO_TORCH |= {"codec/config.py", "codec/formats.py"}
# Not in text/: whatever waits, runs beside or looks at a clock.
IMPURE = {"asyncio", "threading", "time", "concurrent", "socket", "torch", "queue"}
# Optional libraries; adapters import them where they are used.
OPTIONAL = {"sounddevice", "aiortc", "av", "websockets", "fastapi", "uvicorn", "ray"}
# What each package may import of ours besides itself. Modules of the root have their own lines.
BASE = {"errors", "quote", "config", "audio", "uses"}
ALLOWED = {
    "checkpoint": BASE | {"hub"},
    "nn": BASE | {"checkpoint"},
    "codec": BASE | {"hub", "checkpoint", "nn"},
    "families": BASE | {"hub", "checkpoint", "codec", "nn", "text"},
    "kernels": BASE | {"nn"},
    "cpu": {"nn", "codec", "families"},
    "text": BASE,
    "engine": BASE
    | {"cast", "hub", "voices", "metrics", "engine_metrics", "nn", "codec", "families", "kernels"}
    | {"cpu", "text"},
    "formats": BASE,
    "sinks": BASE | {"formats", "stream", "text"},
    "server": BASE
    | {"", "adapters", "engine_metrics", "files", "formats", "languages", "metrics", "prometheus", "sinks"}
    | {"text"}
    | {"voices", "wire"},
    "cluster": BASE | {"", "prometheus", "render", "server"},
    "cli": BASE
    | {"book", "cluster", "files", "formats", "render", "subtitles"}
    | {"", "adapters", "embedded", "engine", "families", "hub", "kernels", "server", "sinks", "stream"}
    | {"synthesizer", "trace", "voice_file", "voices", "wire"},
    "sync": BASE
    | {"conversation", "engine", "engine_metrics", "lines", "metrics", "stream", "synthesizer", "text"}
    | {"text_source", "voices"},
    "adapters": {"", "audio", "cluster", "formats", "languages", "wire"},
}
# Of the root: what is below the engine, and what stands on it.
LOW = {"audio", "cast", "config", "embedded", "errors", "files", "hub", "metrics", "engine_metrics", "quote"}
LOW |= {"prometheus", "sound_file", "text_source", "trace", "uses", "voice_cache", "voice_file", "voices"}
LOW |= {"languages", "wire"}
HIGH = {"__init__", "conversation", "inbox", "lines", "option_checks", "stream", "synthesizer"}
HIGH |= {"render", "voice_finder"}
HIGH |= {"book"}
LOW |= {"lexicon_file", "part_store", "text_file"}
LOW |= {"subtitles"}
PROTOCOLS = ("openai", "cartesia", "elevenlabs", "deepgram", "wyoming", "speak")


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


def imported_at_load_or_for_types(path: Path) -> set[str]:
    """Return what a file imports at its top, behind `TYPE_CHECKING` too."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    nodes = [*tree.body, *(node for each in tree.body if isinstance(each, ast.If) for node in each.body)]
    return {node.module for node in nodes if isinstance(node, ast.ImportFrom) and node.module}


def packages(path: Path, top_level_only: bool = False) -> set[str]:
    return {module.partition(".")[0] for module in imported(path, top_level_only)}


def ours(path: Path) -> set[str]:
    return {
        module.removeprefix("moss_stream.") for module in imported(path) if module.startswith("moss_stream")
    }


def package(module: str) -> str:
    """Return the package, or the module of the root, that a name belongs to; "" is the root itself."""
    module = module.removeprefix("moss_stream").removeprefix(".")
    return module.partition(".")[0]


def in_package(*packages: str) -> list[Path]:
    return [path for path in MODULES if name(path).partition("/")[0] in packages]


@pytest.mark.parametrize("path", MODULES, ids=name)
def test_torch_stays_in_its_place(path: Path) -> None:
    """Only the networks, and what drives them on the device, import torch at their top."""
    is_network = name(path).startswith(TORCH_PACKAGES) and name(path) not in NO_TORCH
    assert is_network or name(path) in TORCH or "torch" not in packages(path, top_level_only=True)


@pytest.mark.parametrize("path", in_package(*ALLOWED), ids=name)
def test_a_package_imports_what_it_stands_on(path: Path) -> None:
    """Arrows between packages go one way; see `ALLOWED`."""
    own = name(path).partition("/")[0]
    assert {package(module) for module in ours(path)} - {own} <= ALLOWED[own]


@pytest.mark.parametrize("path", [p for p in MODULES if "/" not in name(p)], ids=name)
def test_modules_of_the_root_are_below_the_engine_or_stand_on_it(path: Path) -> None:
    """What is below knows nothing but its like, and the text; the rest are the package's public face."""
    module = name(path).removesuffix(".py")
    used = {package(each) for each in ours(path)}
    assert module in LOW | HIGH
    assert (
        used <= LOW | {"formats", "text"}
        if module in LOW
        else used <= LOW | HIGH | {"text", "engine", "families", "formats", "sinks"}
    )


@pytest.mark.parametrize(
    "path", in_package("text", "cpu", "nn", "codec", "kernels", "families", "checkpoint")
)
def test_what_computes_is_pure(path: Path) -> None:
    """No threads, no clock, nothing that waits; text/ has no torch either."""
    assert not packages(path) & (IMPURE if name(path).startswith("text/") else IMPURE - {"torch"})


def test_a_family_knows_no_other() -> None:
    """A model is a folder, and one line in a tuple."""
    folders = {
        path.parent.name
        for path in MODULES
        if name(path).startswith("families/") and path.parent.name != "families"
    }
    for path in in_package("families"):
        known = {module.split(".")[1] for module in ours(path) if module.startswith("families.")} & folders
        assert known <= ({path.parent.name} if path.parent.name in folders else folders)


@pytest.mark.parametrize("path", in_package("engine", "synthesizer", "cli", "server", "sinks"), ids=name)
def test_no_family_is_known_by_name(path: Path) -> None:
    """But to the compiled loops, which are made for one network."""
    is_compiled = name(path) in ("engine/choose_compute.py", "engine/compiled.py")
    assert is_compiled or not any(module.startswith("families.local") for module in ours(path))


@pytest.mark.parametrize("path", in_package("server"), ids=name)
def test_protocols_of_the_server_know_no_other(path: Path) -> None:
    """What they share is in http/ or beside them; a call speaks the messages of `speak`."""
    own = path.parent.name
    used = {module.split(".")[1] for module in ours(path) if module.startswith("server.")}
    if own in PROTOCOLS:
        assert not used & (set(PROTOCOLS) - {own})
    if own == "http":
        assert not used & set(PROTOCOLS)


def test_what_chooses_kernels_does_without_triton() -> None:
    """It says why they are not there."""
    path = ROOT / "moss_stream" / "kernels" / "choose.py"
    assert "moss_stream.kernels.ops" not in imported(path, top_level_only=True)


@pytest.mark.parametrize("path", in_package("adapters"), ids=name)
def test_adapters_import_their_library_where_it_is_used(path: Path) -> None:
    """So that `import` works without it."""
    assert not packages(path, top_level_only=True) & OPTIONAL


def test_no_cycles() -> None:
    """The modules import each other in one direction, what is imported for type checkers included."""
    graph = {
        "moss_stream." + name(p)[:-3].replace("/", "."): imported_at_load_or_for_types(p) for p in MODULES
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
