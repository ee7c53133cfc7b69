"""The example package: a probe, a stressor and an exporter of somebody else's, found by their entry points."""

from __future__ import annotations

import csv
import os
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from made_runs import busy_run

PACKAGE = Path(__file__).parent.parent / "examples" / "extension"


@pytest.fixture
def installed(tmp_path):
    """An environment in which the example package is installed, as far as Python looks."""
    project = tomllib.loads((PACKAGE / "pyproject.toml").read_text())["project"]
    information = tmp_path / "site" / "acme_twin-1.0.dist-info"
    information.mkdir(parents=True)
    (information / "METADATA").write_text("Metadata-Version: 2.1\nName: acme-twin\nVersion: 1.0\n")
    groups = project["entry-points"].items()
    lines = [
        f"[{group}]\n" + "\n".join(f"{name} = {value}" for name, value in names.items()) for group, names in groups
    ]
    (information / "entry_points.txt").write_text("\n".join(lines))
    path = os.pathsep.join([str(tmp_path / "site"), str(PACKAGE), os.environ.get("PYTHONPATH", "")])
    return {**os.environ, "PYTHONPATH": path}


@pytest.mark.slow
def test_a_probe_and_a_stressor_of_another_package_work_everywhere(tmp_path, installed):
    (tmp_path / "test_it.py").write_text(
        "import pytest, time\n"
        "@pytest.mark.stress(files=50)\n"
        "def test_it(twin_logger):\n"
        "    assert 'entropy_bits' in twin_logger.samples()\n"
    )
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "--rootdir", str(tmp_path), "test_it.py"]
    done = subprocess.run(command, cwd=tmp_path, env=installed, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    with (tmp_path / "twin-report" / "annotations.csv").open(newline="") as file:
        [end] = [row for row in csv.DictReader(file) if row["event"] == "end" and row["type"] == "files"]
    assert (end["target"], end["achieved"]) == ("50", "50")


def test_a_stressor_of_another_package_is_an_option_of_the_command_line(tmp_path, installed):
    command = [sys.executable, "-m", "pytest_twin", "stress", "--files", "20", "--duration", "300ms"]
    done = subprocess.run(command, cwd=tmp_path, env=installed, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "files=20 " in done.stdout


def test_an_exporter_of_another_package_is_a_format(tmp_path, installed):
    busy_run(tmp_path / "run").write()
    command = [sys.executable, "-m", "pytest_twin", "export", "run", "--format", "tap"]
    done = subprocess.run(command, cwd=tmp_path, env=installed, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "run/export/tests.tap\n"), done.stdout + done.stderr
    assert (tmp_path / "run" / "export" / "tests.tap").read_text() == (
        "TAP version 14\n1..3\n"
        "ok 1 - tests/test_a.py::test_quick # time=0.500s\n"
        "ok 2 - tests/test_a.py::test_slow[1] # time=3.500s\n"
        "not ok 3 - tests/test_b.py::test_broken # time=1.500s\n"
    )
