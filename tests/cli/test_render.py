from __future__ import annotations

import json
from pathlib import Path

from golden_data import GOLDEN
from typer.testing import CliRunner, Result

from moss_stream.cli.app import app

MODEL = ["--model", str(GOLDEN / "local"), "--codec", str(GOLDEN / "cat")]


def run(jobs: Path, out: Path) -> Result:
    return CliRunner().invoke(app, ["render", str(jobs), "--out", str(out), *MODEL])


def test_jobs_are_rendered_and_counted(tmp_path: Path) -> None:
    """What fails is told by its line and in the exit status; run again, what is there is passed over."""
    jobs, out = tmp_path / "jobs.jsonl", tmp_path / "out"
    job = {"text": "Hello there.", "file": "a.wav", "options": {"tokens": 5}}
    jobs.write_text(f"{json.dumps(job)}\n\nno json\n")
    result = run(jobs, out)
    assert result.exit_code == 1 and (out / "a.wav").stat().st_size > 44
    assert "line 3: The line is no JSON" in result.stderr and "1 done, 0 skipped, 1 failed" in result.stderr
    jobs.write_text(json.dumps(job))
    result = run(jobs, out)
    assert result.exit_code == 0 and "0 done, 1 skipped, 0 failed" in result.stderr


def test_jobs_that_are_not_there(tmp_path: Path) -> None:
    """In a sentence."""
    result = run(tmp_path / "none.jsonl", tmp_path)
    assert result.exit_code == 1 and "The jobs cannot be read" in result.stderr
