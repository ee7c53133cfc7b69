"""The public API: the names of `pytest_twin`, imported when they are first used."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

import pytest_twin
from pytest_twin.telemetry import probes

EXAMPLES = Path(__file__).parent.parent / "examples"


@pytest.mark.parametrize("name", [*pytest_twin.__all__, "__version__"])
def test_every_public_name_is_there(name):
    assert getattr(pytest_twin, name) is not None


def test_a_name_that_is_not_there_is_an_attribute_error():
    with pytest.raises(AttributeError, match="module 'pytest_twin' has no attribute 'lod'"):
        _ = pytest_twin.lod


def test_importing_the_package_imports_nothing_of_it():
    program = "import sys, pytest_twin; print([name for name in sys.modules if name.startswith('pytest_twin.')])"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_examples_use_public_names_only():
    files = sorted([*EXAMPLES.rglob("*.py"), *EXAMPLES.rglob("*.ipynb")])
    assert len(files) > 5
    used = {name for path in files for name in re.findall(r"pytest_twin\.(\w+)", path.read_text(encoding="utf-8"))}
    assert used <= {*pytest_twin.__all__}


def test_the_order_of_columns_is_declared():
    folder = Path(probes.__file__).parent
    assert set(probes.ORDER) == {path.stem for path in folder.glob("*.py")} - {"__init__"}
    assert [module.__name__.rpartition(".")[2] for module in probes.find_modules()] == list(probes.ORDER)
