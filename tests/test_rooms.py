"""The structure of the package: its rooms, one name for one thing, no import cycle, no long function."""

from __future__ import annotations

import ast
import sys
from collections import defaultdict
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "pytest_twin"
ROOMS = {
    "plugin", "cli", "recording", "remote", "report", "export", "analysis", "run_folder", "loads", "telemetry",
    "settings", "model", "stressors", "_system",
}  # fmt: skip
LONGEST_FUNCTION = 60
FILES = sorted(path for path in PACKAGE.rglob("*.py") if "__pycache__" not in path.parts)
TREES = {path: ast.parse(path.read_text(encoding="utf-8")) for path in FILES}


def module_of(path: Path) -> str:
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


MODULES = {module_of(path) for path in FILES}


def imports_of(path: Path) -> Iterator[str]:
    """Every module that a file imports, in functions and for type checkers too."""
    for node in ast.walk(TREES[path]):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.module, f"{path}: a relative import"
            assert not node.level, f"{path}: a relative import"
            names = (f"{node.module}.{alias.name}" for alias in node.names)
            yield from (name if name in MODULES else node.module for name in names)


def test_every_module_is_in_a_room():
    names = {path.name for path in PACKAGE.iterdir() if path.is_file() or {*path.rglob("*.py")}}  # no leftovers
    assert names == ROOMS | {"__init__.py", "__main__.py", "py.typed"}
    assert len(ROOMS) <= 15


def test_tests_mirror_the_rooms():
    folders = {path.name for path in (ROOT / "tests").iterdir() if any(path.glob("test_*.py"))}
    assert folders - {"faults"} <= ROOMS  # faults are about several rooms
    names = [path.name for path in (ROOT / "tests").rglob("test_*.py")]
    assert len(names) == len(set(names))


def test_no_two_classes_have_the_same_name():
    found = defaultdict(list)
    for path, tree in TREES.items():
        for node in ast.walk(tree):
            if isinstance(node, ast.ClassDef):
                found[node.name].append(module_of(path))
    assert {name: places for name, places in found.items() if len(places) > 1} == {}


def test_no_import_cycle():
    graph = {module_of(path): {*imports_of(path)} & MODULES for path in FILES if path != PACKAGE / "__init__.py"}
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        pytest.fail(" -> ".join(error.args[1]))


def test_the_package_itself_is_imported_by_none_of_its_modules():
    """Its public names are imported late, from all over the package."""
    assert [module_of(path) for path in FILES if "pytest_twin" in imports_of(path)] == []


def test_no_function_is_long():
    lengths = {
        f"{module_of(path)}.{node.name}": node.end_lineno - node.lineno + 1
        for path, tree in TREES.items()
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    }
    assert {name: length for name, length in lengths.items() if length > LONGEST_FUNCTION} == {}


def test_the_engine_uses_the_standard_library_only():
    engine = [path for path in FILES if PACKAGE / "stressors" in path.parents]
    used = {name for path in engine for name in imports_of(path) if not name.startswith("pytest_twin.stressors")}
    assert {name.partition(".")[0] for name in used} <= sys.stdlib_module_names
