"""docs/explanation/faults.md has all tests of faults, and no others."""

from __future__ import annotations

import re
import runpy
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent
TABLE = runpy.run_path(str(ROOT / "docs" / "fault_table.py"))
PAGE = (ROOT / "docs" / "explanation" / "faults.md").read_text(encoding="utf-8")


def test_the_page_names_exactly_the_tests_that_there_are():
    stands = re.findall(r"^\| \[(.+?)\]\(\.\./\.\./(.+?)\) \|", PAGE, re.MULTILINE)
    assert stands == [(proof.sentence, proof.path) for proof in TABLE["proofs"]()]


def test_every_row_has_tests():
    assert {proof.row for proof in TABLE["proofs"]()} == TABLE["ROWS"].keys()


def test_no_test_of_the_page_has_failed():
    said = re.findall(r"\.py\) \| (.*) \|$", PAGE, re.MULTILINE)
    assert said
    assert not [each for each in said if "failed" in each or "not run" in each]


def test_a_result_is_told_for_all_parameters_together(tmp_path):
    case = '<testcase classname="tests.test_a" name="test_it[{}]">{}</testcase>'
    cases = case.format(1, "") + case.format(2, '<skipped message="no such tool"/>') + case.format(3, "")
    (tmp_path / "junit.xml").write_text(f"<testsuites><testsuite>{cases}</testsuite></testsuites>")
    found = TABLE["results"](tmp_path / "junit.xml")
    assert found == {("tests/test_a.py", "test_it"): "2 passed, 1 skipped (no such tool)"}
