"""The files in deploy/, as far as they can be checked without a registry, a cluster and a daemon."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from fakes import FakeEngine, synthesizer_on
from prometheus_client import CollectorRegistry, generate_latest
from typer.main import get_command

from moss_stream.cli.app import app
from moss_stream.cluster.farewell import middlewares
from moss_stream.cluster.options import ClusterOptions
from moss_stream.prometheus import register

ROOT = Path(__file__).parent.parent.parent
DEPLOY = ROOT / "deploy"
DOCKERFILE = (DEPLOY / "Dockerfile").read_text(encoding="utf-8")


def read(name: str) -> Any:
    return yaml.safe_load((DEPLOY / name).read_text(encoding="utf-8"))


def options_of(command: str) -> set[str]:
    """Return the options that a command of ours has."""
    parameters = get_command(app).commands[command].params  # type: ignore[attr-defined]
    return {option for parameter in parameters for option in parameter.opts}


async def test_every_panel_shows_what_the_server_counts() -> None:
    """A figure that was renamed would leave a panel empty, which nobody notices until it is needed."""
    async with await synthesizer_on(FakeEngine()) as synth:
        async with synth.stream("Hello.") as stream:
            async for _ in stream:
                pass
        registry = CollectorRegistry()
        register(lambda: synth.metrics, registry)
        known = set(re.findall(r"^(moss_\w+)", generate_latest(registry).decode(), flags=re.MULTILINE))
    dashboard = json.loads((DEPLOY / "grafana/dashboards/moss-stream.json").read_text(encoding="utf-8"))
    for panel in dashboard["panels"]:
        asked = {name for each in panel["targets"] for name in re.findall(r"moss_\w+", each["expr"])}
        assert asked and asked <= known, panel["title"]
    assert len({panel["id"] for panel in dashboard["panels"]}) == len(dashboard["panels"])


@pytest.mark.parametrize("name", ["ray-serve.yaml", "kuberay.yaml"])
def test_a_cluster_is_asked_for_what_there_is(name: str) -> None:
    """The arguments are options of the application, and what is imported is there."""
    content = read(name)
    config = yaml.safe_load(content["spec"]["serveConfigV2"]) if "spec" in content else content
    (application,) = config["applications"]
    options = ClusterOptions.model_validate(application["args"])
    assert options.min_replicas < options.max_replicas
    module, _, attribute = application["import_path"].partition(":")
    assert (ROOT / "adapters" / f"{module.rpartition('.')[2]}.py").is_file() and attribute == "app"
    text = (DEPLOY / name).read_text(encoding="utf-8")
    callback = f"{middlewares.__module__}:{middlewares.__name__}"
    assert callback in text and "RAY_SERVE_HTTP_PROXY_CALLBACK_IMPORT_PATH" in text
    assert "RAY_worker_niceness" in text


@pytest.mark.parametrize("name", ["compose.yaml", "compose.gpu.yaml"])
def test_compose_says_what_the_command_takes(name: str) -> None:
    """Every option of `serve`, and every file that is mounted, exists."""
    for service in read(name)["services"].values():
        given = {part.partition("=")[0] for part in service.get("command", ()) if part.startswith("--")}
        assert given <= options_of("serve")
        for volume in service.get("volumes", ()):
            source = volume.partition(":")[0]
            assert not source.startswith(".") or (DEPLOY / source).exists(), source


def test_the_image_runs_as_nobody_special() -> None:
    """Not as root, with a check of its health, and with the options that `serve` has."""
    lines = DOCKERFILE.splitlines()
    users = [line.split()[1] for line in lines if line.startswith("USER ")]
    assert users == ["10001:10001"] and lines.index("USER 10001:10001") < lines.index("EXPOSE 8000")
    (command,) = (json.loads(line.removeprefix("CMD ")) for line in lines if line.startswith("CMD "))
    assert command[0] == "serve" and {part for part in command if part.startswith("--")} <= options_of(
        "serve"
    )
    assert "/readyz" in DOCKERFILE and "MOSS_API_KEY" not in re.sub(r"#.*", "", DOCKERFILE)


def test_what_the_image_is_built_of_is_let_in() -> None:
    """`.dockerignore` keeps out everything else, weights and keys that lie about included."""
    ignored = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    let_in = {line[1:] for line in ignored if line.startswith("!")}
    copied = [line.split()[1:-1] for line in DOCKERFILE.splitlines() if re.match(r"COPY (?!--from)", line)]
    assert "*" in ignored and {name for names in copied for name in names} == let_in
    assert all((ROOT / name).exists() for name in let_in)


def test_hadolint_finds_nothing() -> None:
    """The published linter, where there is a build of it."""
    linter = shutil.which("hadolint", path=str(Path(sys.executable).parent))
    if linter is None:
        pytest.skip("hadolint is not installed")
    found = subprocess.run([linter, str(DEPLOY / "Dockerfile")], capture_output=True, text=True)
    assert found.returncode == 0, found.stdout


def test_compose_is_understood_by_docker() -> None:
    """`docker compose config`, which needs no daemon."""
    docker = shutil.which("docker")
    if docker is None or subprocess.run([docker, "compose", "version"], capture_output=True).returncode:
        pytest.skip("docker compose is not installed")
    files = [f"--file={DEPLOY / name}" for name in ("compose.yaml", "compose.gpu.yaml")]
    environment = {"MOSS_API_KEY": "a-long-key", "GRAFANA_PASSWORD": "secret", "PATH": "/usr/bin:/bin"}
    told = subprocess.run(
        [docker, "compose", *files, "config", "--quiet"], capture_output=True, text=True, env=environment
    )
    assert told.returncode == 0, told.stderr
