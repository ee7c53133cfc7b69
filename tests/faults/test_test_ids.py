"""Tests with ids that want to be paths, rows, formulas or devices, and with ids that are very long."""

from __future__ import annotations

import csv
import re
import sys
from pathlib import Path

import pytest

HOSTILE = (
    "../../../x", "/etc/passwd", "a,b", "a\nb\r\nc", "x" * 5000, "X" * 5000, "CON", "nul.txt", "\udcff\udc80", "größe",
    "=1+1", "+1", "-1", "@SUM(A1)", '"', "'", "\0", "\x1b[31m", "",
)  # fmt: skip
TESTS = """import pytest

@pytest.mark.parametrize("which", range({count}))
def test_it(which): pass
"""
RENAMES = """
IDS = {ids!a}

def pytest_collection_modifyitems(items):
    for item, name in zip(items, IDS, strict=True):  # as from a plugin that has tests of its own
        item.__class__ = type("Renamed", (type(item),), {{"nodeid": name}})
"""


@pytest.mark.fault("test ids")
def test_whatever_tests_are_called_each_is_one_record_without_formulas_and_has_a_safe_folder(start, tmp_path):
    (tmp_path / "conftest.py").write_text(RENAMES.format(ids=HOSTILE))
    run = start(TESTS.format(count=len(HOSTILE)), "--twin", "--twin-per-test=all", "-p", "no:terminal")
    assert run.wait()[0] == 0
    assert [row["outcome"] for row in run.tests] == ["passed"] * len(HOSTILE)
    assert {"../../../x", "a,b", r"a\nb\r\nc", "x" * 5000, r"\udcff\udc80", "'=1+1", "größe"} <= {
        row["nodeid"] for row in run.tests
    }
    assert sum((row["event"], row["type"]) == ("end", "test") for row in run.events) == len(HOSTILE)
    these_are_safe([row["folder"] for row in run.tests], run.report)
    assert {path.name for path in tmp_path.iterdir()} <= {"conftest.py", "test_it.py", "twin-report", "__pycache__"}
    for name in ("annotations.csv", "tests.csv"):
        these_are_plain((run.report / name).read_text(encoding="utf-8").split("\n")[:-1])


def these_are_safe(folders: list[str], report: Path) -> None:
    """Each is another one, below the report, and may be on any file system."""
    assert len({folder.lower() for folder in folders}) == len(HOSTILE)
    assert all(re.fullmatch(r"tests/[A-Za-z0-9_][A-Za-z0-9_.-]*", folder) for folder in folders)
    assert max(map(len, folders)) <= 100
    assert sorted(path.name for path in (report / "tests").iterdir()) == sorted(name[6:] for name in folders)
    assert all((report / folder / "annotations.csv").is_file() for folder in folders)


def these_are_plain(lines: list[str]) -> None:
    """Each is a whole record, and a spreadsheet computes nothing of it."""
    rows = [next(csv.reader([line])) for line in lines]
    assert {len(row) for row in rows} == {len(rows[0])}
    cells = [cell for row in rows for cell in row]
    assert not [cell for cell in cells if re.match(r"[=+@]|-\D", cell)]
    assert not [line for line in lines for sign in line if ord(sign) < 32]


LONG = """import psutil, pytest

@pytest.mark.stress(cpu=1)
@pytest.mark.parametrize("x", ["a"], ids=["l" * 200_000])
def test_it(x, twin_logger, stress_mem):
    twin_logger.annotate("n" * 200_000)
    with stress_mem("1MiB"):
        found = psutil.Process().children(recursive=True)
        assert len(found) >= 3
        for each in found:
            for name in ("cmdline", "environ"):
                assert b"llllllll" not in open(f"/proc/{each.pid}/{name}", "rb").read()
"""


@pytest.mark.fault("long ids")
@pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")
def test_an_id_longer_than_a_command_may_be_is_in_no_argument_and_no_environment_of_ours(run):
    done, status, said = run(LONG, "--twin", "-p", "no:terminal")
    assert (status, said) == (0, "")
    csv.field_size_limit(1 << 20)
    assert [len(row["nodeid"]) > 200_000 for row in done.tests] == [True]
    assert sorted(done.loads("end")) == [("cpu", "1"), ("memory", "1MiB")]
