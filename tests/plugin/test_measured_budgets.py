"""The figures of budgets that were kept, in the terminal."""

from __future__ import annotations

from types import SimpleNamespace

from pytest_twin.plugin.measured_budgets import MEASURED, measured_lines


def report(nodeid, *texts):
    return SimpleNamespace(nodeid=nodeid, user_properties=[("other", 1), *((MEASURED, text) for text in texts)])


def test_each_figure_is_told_once_below_its_test_and_broken_between_words(monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    slow = "slowdown 2.9 (2.2 to 3.6 with 95 % confidence) is within the limit of 8; 10 pairs, under cpu=4 (1.6 cores)"
    stats = {"": [report("t.py::test_a", slow, "p50 1 s"), object()], "passed": [report("t.py::test_a", slow)]}
    lines = list(measured_lines(stats))
    assert lines[:2] == ["within budget, as measured in repetitions", "  t.py::test_a"]
    assert " ".join(line.strip() for line in lines[2:]) == f"{slow} p50 1 s"
    assert max(map(len, lines)) <= 80


def test_of_many_tests_the_first_ones_are_told():
    lines = list(measured_lines({"": [report(f"t.py::test_{number}", "p50 1 s") for number in range(13)]}))
    assert (len(lines), lines[-1]) == (22, "  … and 3 more tests")


def test_without_such_a_budget_nothing_is_told():
    assert not list(measured_lines({"passed": [report("t.py::test_a")]}))
