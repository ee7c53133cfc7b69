"""Figures in words."""

import math

import pytest

from pytest_twin.model.duration_text import NOTHING, format_duration
from pytest_twin.report.wording import (
    describe_machine,
    format_count,
    format_number,
    format_size,
)


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (None, NOTHING), (math.nan, NOTHING), (0.0, "0 s"), (0.0012, "1.2 ms"), (0.34, "340 ms"), (0.9996, "1.00 s"),
        (5.25, "5.25 s"), (59.96, "1:00 min"), (125, "2:05 min"), (3600, "1:00:00 h"),
    ],
)  # fmt: skip
def test_a_time_is_said_as_a_person_would(seconds, said):
    assert format_duration(seconds) == said


@pytest.mark.parametrize(
    ("mib", "said"),
    [(None, NOTHING), (0, "0 B"), (0.0001, "1 KiB"), (0.5, "512 KiB"), (44.2, "44.2 MiB"), (1280, "1.25 GiB")],
)
def test_an_amount_has_the_unit_that_suits_it(mib, said):
    assert format_size(mib) == said


@pytest.mark.parametrize(
    ("value", "said"),
    [(None, NOTHING), (0, "0"), (0.0012, "0.001"), (3.14159, "3.14"), (31.4159, "31.4"), (31415.9, "31,416")],
)
def test_a_figure_has_three_digits_that_matter(value, said):
    assert format_number(value) == said


def test_one_and_many_are_told_apart():
    assert (format_count(1, "test"), format_count(2000, "test")) == ("1 test", "2,000 tests")


def test_a_fingerprint_of_another_shape_tells_what_it_can():
    assert describe_machine({"cpu": {"model": "made up", "logical": "?"}, "memory": 3}) == ["made up"]
    assert describe_machine(None) == []
