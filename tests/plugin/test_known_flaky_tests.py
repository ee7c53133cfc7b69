"""The file of `--twin-flaky-known`."""

from __future__ import annotations

from pathlib import Path

import pytest

from pytest_twin.plugin.flaky.known_tests import KnownTests
from pytest_twin.settings.options import SettingsError

NODEID = "tests/a/test_x.py::TestY::test_z[1-b]"


def known(tmp_path, text):
    (tmp_path / "known.txt").write_text(text)
    return KnownTests(tmp_path / "known.txt", tmp_path)


@pytest.mark.parametrize(
    "line",
    [
        NODEID,
        f"  {NODEID}  # breaks since the move to the new pool",
        "tests/a/test_x.py::TestY::test_z",
        "tests/a/test_x.py::TestY",
        "tests/a/test_x.py",
        "tests/a/",
        "tests/a",
        "*::test_z*",
        "tests/*/test_x.py::*",
    ],
)
def test_a_line_is_a_node_id_or_what_it_is_in_or_a_pattern(tmp_path, line):
    assert known(tmp_path, f"# known\n\n{line}\n").has(NODEID)


@pytest.mark.parametrize("line", ["tests/a/test_x.py::TestY::test", "test_x.py", "tests/b/*", f"# {NODEID}", ""])
def test_any_other_line_matches_nothing(tmp_path, line):
    assert not known(tmp_path, line).has(NODEID)


def test_lines_that_match_no_test_are_returned(tmp_path):
    found = known(tmp_path, f"{NODEID}\ntests/old.py\n*::test_z*\n*::gone\n")
    assert found.unmatched([NODEID]) == ["tests/old.py", "*::gone"]


def test_a_file_that_cannot_be_read_is_one_line(tmp_path):
    with pytest.raises(SettingsError, match=r"^--twin-flaky-known: none: No such file or directory$"):
        KnownTests(Path("none"), tmp_path)
    (tmp_path / "binary").write_bytes(b"\xff\xfe")
    with pytest.raises(SettingsError, match=r"it is not UTF-8 text$"):
        KnownTests(Path("binary"), tmp_path)
