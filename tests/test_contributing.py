"""The worked examples of CONTRIBUTING.md, put where they say into a copy of the package."""

from __future__ import annotations

import csv
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import pytest_twin

ROOT = Path(__file__).parent.parent
PAGE = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```python\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
PACKAGE = Path(pytest_twin.__file__).parent


@pytest.fixture
def run(tmp_path):
    """Runs Python with a copy of the package that has everything that the page adds."""
    shutil.copytree(PACKAGE, tmp_path / "site" / "pytest_twin", ignore=shutil.ignore_patterns("__pycache__"))
    for block in BLOCKS:
        if block.startswith("# "):
            head, _, body = block.partition("\n")
            path = tmp_path / "site" / head.removeprefix("# ")
            assert not path.exists()
            path.write_text(body, encoding="utf-8")
        else:
            options = tmp_path / "site" / "pytest_twin" / "settings" / "options.py"
            before, field, after = options.read_text(encoding="utf-8").partition("    enabled: bool")
            options.write_text(before + block + field + after, encoding="utf-8")
    environment = {**os.environ, "PYTHONPATH": str(tmp_path / "site")}
    environment.pop("COVERAGE_PROCESS_START", None)  # the copy is gone when coverage is reported

    def run(*command):
        done = subprocess.run(
            [sys.executable, "-m", *command],
            cwd=tmp_path, env=environment, capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    return run


@pytest.fixture
def recorded(run, tmp_path):
    """A run under a load of the kind that the page adds."""
    (tmp_path / "test_it.py").write_text("import pytest\n@pytest.mark.stress(sockets=20)\ndef test_it(): pass\n")
    run("pytest", "-p", "no:cacheprovider", "--rootdir", str(tmp_path), "--twin", "--twin-colour=never", "test_it.py")
    return tmp_path / "twin-report"


def rows(path):
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_every_room_has_a_line_and_every_line_a_room():
    named = set(re.findall(r"^\| `(\w+)/` \|", PAGE, re.MULTILINE))
    assert named == {path.name for path in PACKAGE.iterdir() if (path / "__init__.py").exists()}


def test_each_addition_is_one_file_or_one_line():
    assert len(BLOCKS) == 5
    assert sum(block.startswith("# pytest_twin/") for block in BLOCKS) == 4
    assert sum(len(block.splitlines()) == 1 for block in BLOCKS) == 1


@pytest.mark.skipif(sys.platform != "linux", reason="the probe reads a file of Linux")
def test_the_probe_has_a_column_in_the_dataset(recorded):
    assert all(int(row["entropy_bits"]) > 0 for row in rows(recorded / "system_metrics_dataset.csv"))


def test_the_kind_of_load_is_applied(recorded):
    [end] = [row for row in rows(recorded / "annotations.csv") if (row["event"], row["type"]) == ("end", "sockets")]
    assert (end["target"], end["achieved"]) == ("20", "20")


@pytest.mark.slow
def test_the_subcommand_and_the_exporter_are_found(recorded, run):
    assert run("pytest_twin", "slowest", str(recorded)).endswith(" s  test_it.py::test_it\n")
    assert "slowest" in run("pytest_twin", "--help")
    path = recorded / "export" / "tests.jsonl"
    assert run("pytest_twin", "export", str(recorded), "--format=json-lines") == f"{path}\n"
    assert path.read_text() == '{"nodeid": "test_it.py::test_it", "outcome": "passed"}\n'


def test_the_option_is_in_the_help(run):
    assert "--twin-colour=WHEN" in run("pytest", "--help")
