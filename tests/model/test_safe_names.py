"""Names that every file system takes."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_twin.model.safe_names import DEVICES, safe


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("tests/test_a.py::test_b[1,2]", "tests-test_a.py-test_b-1-2"),
        ("../../etc/passwd", "etc-passwd"),
        ("aux", "_aux"),
        ("nul.txt", "_nul.txt"),
        ("日本", "run"),
        ("", "run"),
    ],
)
def test_a_name_tells_of_its_text(text, name):
    assert safe(text, "run") == name


@pytest.mark.parametrize(
    ("text", "name"),
    [
        (
            "tests/checkout/test_flow_of_customers.py::TestCheckoutOfReturningCustomers::test_over_budget",
            "TestCheckoutOfReturningCustomers-test_over_budget",
        ),
        (
            "test_it.py::test_" + "of_customers_" * 8 + "who_pay",
            "of_customers_of_customers_of_customers_of_customers_who_pay",
        ),
        ("test_it.py::test_it[" + "a" * 100 + "]", "a" * 60),
        ("a" * 100 + "::" + "test_" * 12, "test_" * 12),
        ("a" * 50 + "_of_many_x.py::" + "b" * 45, "b" * 45),
        ("a" * 50 + "::" + "b" * 30, "b" * 30),
    ],
)
def test_a_long_name_begins_with_a_part_or_with_a_word(text, name):
    assert safe(text) == name
    assert len(name) <= 60


@given(st.text(max_size=200))
def test_whatever_the_text_the_name_is_a_safe_one(text):
    name = safe(text, "run")
    assert re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,60}", name)
    assert not name.endswith(".")
    assert name.partition(".")[0].upper() not in DEVICES
