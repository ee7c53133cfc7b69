"""What is in the wheel, and what only in the checkout."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from pytest_twin.stressors import find_kinds

ROOT = Path(__file__).parent.parent


def test_the_wheel_has_one_top_level_package():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    assert project["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"] == ["pytest_twin"]


def test_scripts_of_the_checkout_start_kinds_of_load():
    scripts = {path.stem for path in (ROOT / "stressors").iterdir() if path.suffix == ".py"}
    assert scripts <= {f"{kind.module.rpartition('.')[2]}_stress" for kind in find_kinds().values()}
    kept = {"cpu", "cpu_total", "disk", "fds", "iops", "mem", "membw", "net", "threads"}
    assert {f"{name}_stress" for name in kept} <= scripts


@pytest.mark.parametrize("script", sorted((ROOT / "stressors").glob("*.py")), ids=lambda path: path.stem)
def test_a_script_is_run_by_a_bare_python(script, tmp_path):
    done = subprocess.run(
        [sys.executable, "-I", "-S", script, "--help"], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert done.stdout.startswith(f"usage: {script.name}")


WORKFLOW = (ROOT / ".github" / "workflows" / "ci.yml").read_text(encoding="utf-8")


def test_the_workflow_runs_every_python_and_system_that_is_promised():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    promised = [each.rpartition(" :: ")[2] for each in project["classifiers"] if " :: Python :: 3." in each]
    [matrix] = re.findall(r"^        python: \[(.*)\]$", WORKFLOW, re.MULTILINE)
    assert re.findall(r"[\d.]+", matrix) == promised
    assert "os: [ubuntu-latest, macos-latest, windows-latest]" in WORKFLOW


def test_what_the_workflow_leaves_out_elsewhere_exists():
    names = re.findall(r"--ignore=(\S+)", WORKFLOW)
    assert len(names) > 10
    assert [name for name in names if not (ROOT / name).exists()] == []
