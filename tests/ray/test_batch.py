"""`moss-stream render --ray`: batch work on a cluster of this machine."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import soundfile


def test_lines_become_files_and_are_not_spoken_twice(tmp_path: Path) -> None:
    """A bad line holds up no other, and a run without the cluster makes what is missing."""
    jobs, out = tmp_path / "jobs.jsonl", tmp_path / "out"
    texts = [
        json.dumps({"text": f"This is number {number}.", "file": f"{number}.wav"}) for number in range(6)
    ]
    jobs.write_text("\n".join([*texts, "", "no job"]), encoding="utf-8")
    out.mkdir()

    def run(*options: str) -> tuple[int, str]:
        command = [str(Path(sys.executable).with_name("moss-stream")), "render", str(jobs), "--out", str(out)]
        done = subprocess.run([*command, *options], capture_output=True, text=True, timeout=150)
        return done.returncode, done.stderr

    status, told = run("--ray", "--replicas", "2", "--num-cpus", "0.5")
    assert status == 1 and "line 8: The line is no JSON" in told and "6 done, 0 skipped, 1 failed" in told
    assert sorted(file.name for file in out.iterdir()) == [f"{number}.wav" for number in range(6)]
    assert all(soundfile.info(file).duration > 0.3 for file in out.iterdir())
    (out / "3.wav").unlink()
    status, told = run()
    assert status == 1 and "1 done, 5 skipped, 1 failed" in told and (out / "3.wav").is_file()
