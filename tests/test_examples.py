"""The examples, as the README has them typed."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent


@pytest.fixture
def examples(tmp_path):
    """A copy of the examples, so that what they write stays out of the project."""
    shutil.copytree(ROOT / "examples", tmp_path / "examples", ignore=shutil.ignore_patterns("__pycache__"))
    return tmp_path


@pytest.mark.slow
def test_the_examples_pass_under_their_schedule_and_can_be_analysed(examples):
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "--strict-markers", "examples",
               "--twin-schedule=examples/schedule.json", "--rootdir=examples"]  # fmt: skip
    done = subprocess.run(command, cwd=examples, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "11 passed" in done.stdout
    pytest.importorskip("matplotlib")
    analyse = [sys.executable, "examples/analyse.py", "twin-report"]
    done = subprocess.run(analyse, cwd=examples, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "correlations" in done.stdout
    assert (examples / "twin-report" / "timeline.png").stat().st_size > 10_000
