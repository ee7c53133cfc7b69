"""Patterns that select tests."""

from __future__ import annotations

import pytest

from pytest_twin.model.nodeid_pattern import matches

NODEID = "tests/db/test_a.py::test_it[1]"


@pytest.mark.parametrize(
    ("pattern", "meant"),
    [
        (NODEID, True),
        ("tests/db", True),
        ("tests/*::test_it", True),
        ("*test_it?1]", True),
        ("tests/db/test_a.py::test_it[2]", False),
        ("db/*", False),
        ("", True),
    ],
)
def test_a_pattern_is_for_what_it_begins_and_for_an_id_as_it_stands(pattern, meant):
    assert matches(pattern, NODEID) is meant
