"""The wheel, installed into an empty environment."""

from __future__ import annotations

import shutil
import subprocess
import sys
import venv
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PATIENT = ["--retries", "10", "--timeout", "60"]
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """The wheel of this checkout, made from a copy of what is in it."""
    folder = tmp_path_factory.mktemp("wheel")
    names = ("pytest_twin", "stressors", "README.md", "LICENSE", "pyproject.toml")
    for name in names:
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, folder / "source" / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(source, folder / "source" / name)
    command = [sys.executable, "-m", "pip", "wheel", "-q", *PATIENT, "--no-deps", "-w", folder, folder / "source"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if "No matching distribution" in done.stderr or "Failed to establish" in done.stderr:
        pytest.skip("the build backend cannot be downloaded")
    assert done.returncode == 0, done.stdout + done.stderr
    [made] = folder.glob("*.whl")
    return made


@pytest.fixture(scope="module")
def python(wheel, tmp_path_factory):
    """The interpreter of an environment that has the wheel and what it depends on."""
    folder = tmp_path_factory.mktemp("environment")
    venv.create(folder, with_pip=True)
    python = folder / ("Scripts" if sys.platform == "win32" else "bin") / "python"
    subprocess.run([python, "-m", "pip", "install", "-q", *PATIENT, wheel], capture_output=True, check=True)
    return python


def pytest_in(python, folder, *flags):
    command = [python, "-m", "pytest", "-p", "no:cacheprovider", *flags]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)


def test_it_has_one_top_level_package(wheel):
    names = {name.partition("/")[0] for name in zipfile.ZipFile(wheel).namelist()}
    assert {name for name in names if not name.endswith(".dist-info")} == {"pytest_twin"}


def test_the_command_writes_the_dashboard_of_the_wheel(python, tmp_path):
    command = [python, "-m", "pytest_twin", "dashboard", "-o", "boards"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    made = ROOT / "pytest_twin" / "export" / "grafana" / "dashboard.json"
    assert (tmp_path / "boards" / "pytest-twin.json").read_bytes() == made.read_bytes()


def test_the_examples_pass(python, tmp_path):
    shutil.copytree(ROOT / "examples", tmp_path / "examples", ignore=shutil.ignore_patterns("__pycache__"))
    done = pytest_in(python, tmp_path, "examples", "--twin-schedule=examples/schedule.json", "--rootdir=examples")
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("place", ["", "tests"])
def test_a_project_may_have_modules_named_as_our_rooms_are(python, tmp_path, place):
    folder = tmp_path / place
    folder.mkdir(exist_ok=True)
    (folder / "stressors.py").write_text("WHOSE = 'the project'\n")
    (folder / "report.py").write_text("WHOSE = 'the project'\n")
    (folder / "loads").mkdir()
    (folder / "loads" / "__init__.py").write_text("WHOSE = 'the project'\n")
    (folder / "test_shop.py").write_text(
        "import loads, report, stressors, pytest\n"
        "@pytest.mark.stress(threads=5)\n"
        "def test_it(twin_logger):\n"
        "    assert {loads.WHOSE, report.WHOSE, stressors.WHOSE} == {'the project'}\n"
    )
    done = pytest_in(python, tmp_path, "--twin", "--twin-report=md")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "threads,test_shop.py" in (tmp_path / "twin-report" / "annotations.csv").read_text().replace("tests/", "")
