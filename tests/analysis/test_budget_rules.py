"""Budgets of the configuration: for which tests they are."""

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_twin.analysis.budgets.parser import BudgetError
from pytest_twin.analysis.budgets.rules import parse_expression, parse_rules


def read(*tables):
    return parse_rules(tables, lambda _: pytest.fail("there is no load here"))


def errors(*tables):
    with pytest.raises(BudgetError) as caught:
        read(*tables)
    return caught.value.problems


@pytest.mark.parametrize(
    ("text", "marks", "meant"),
    [
        ("slow", {"slow"}, True),
        ("slow", {"db"}, False),
        ("slow and not db", {"slow"}, True),
        ("slow and not db", {"slow", "db"}, False),
        ("not (slow or db) or both", {"both", "db"}, True),
        ("slow or db", {"db"}, True),
    ],
)
def test_an_expression_of_markers_selects(text, marks, meant):
    assert parse_expression(text)(marks) is meant


@pytest.mark.parametrize("text", ["", "slow and", "slow()", "a.b", "1", "slow == db", "lambda: slow", 5, "(" * 5000])
def test_what_is_no_expression_is_refused(text):
    with pytest.raises(ValueError, match=r"is not an expression of marks; write one such as \"slow and not db\"$"):
        parse_expression(text)


@given(st.text())
def test_any_text_is_an_expression_or_a_problem(text):
    with suppress(ValueError):
        assert parse_expression(text)(set()) in {True, False}


def test_a_rule_is_for_tests_with_both_its_marks_and_its_path():
    [rule] = read({"mark": "slow", "path": "tests/db/*", "duration": "1s"})
    assert rule.keywords == {"duration": "1s"}
    assert rule.selects("tests/db/test_a.py::test_it", {"slow"})
    assert not rule.selects("tests/db/test_a.py::test_it", set())
    assert not rule.selects("tests/web/test_a.py::test_it", {"slow"})


def test_a_path_may_be_the_beginning_of_an_id():
    [rule] = read({"path": "tests/test_a.py", "duration": 1})
    assert rule.selects("tests/test_a.py::test_it[1]", set())


def test_a_path_may_be_the_whole_id_of_a_parametrised_test():
    [rule] = read({"path": "tests/test_a.py::test_it[1]", "duration": 1})
    assert rule.selects("tests/test_a.py::test_it[1]", set())
    assert not rule.selects("tests/test_a.py::test_it[2]", set())


def test_a_rule_that_selects_nothing_is_for_every_test():
    [rule] = read({"duration": 1})
    assert rule.selects("anything", set())


def test_everything_that_is_wrong_is_told_with_its_place():
    assert errors(
        {"mark": "slow", "durration": "1s"},
        {"path": 5, "duration": "soon"},
        {"mark": "slow and"},
        {"mark": "slow", "duration": 1},
    ) == [
        ("budgets[0]", 'unknown keyword "durration"; did you mean "duration"?'),
        (
            "budgets[1].duration",
            '\'soon\' is not a duration; write seconds, or text such as "500ms" or "1m30s"',
        ),
        ("budgets[1].path", '5 is not a pattern such as "tests/db/*"'),
        ("budgets[2]", 'has no limit; write one such as duration = "1s"'),
        ("budgets[2].mark", "'slow and' is not an expression of marks; write one such as \"slow and not db\""),
    ]
