"""The limits of the gates."""

from __future__ import annotations

from dataclasses import asdict

import pytest

from pytest_twin.analysis.fidelity import gates
from pytest_twin.analysis.fidelity.gates import FidelityGates, GateError, judge, limits_of, parse_gates


def test_the_defaults_are_those_of_the_documentation():
    assert asdict(FidelityGates()) == {
        "min_coverage": 0.95, "max_bias": 5, "max_cv_rmse": 30, "min_skill": 0.6, "min_correlation": 0.8,
        "max_lag_samples": 2, "max_lag_s": 1, "max_peak_error": 5, "min_change_correlation": 0.7,
        "min_change_ratio": 0.5, "max_change_ratio": 2, "max_coupling_error": 0.2,
    }  # fmt: skip


def test_limits_that_are_not_given_keep_their_defaults():
    assert parse_gates({"max_bias": "2.5", "min_skill": -1}) == FidelityGates(max_bias=2.5, min_skill=-1)


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        ({"max_bais": 1}, 'unknown gate "max_bais"; did you mean "max_bias"?'),
        ({"max_bias": "much"}, "max_bias: 'much' is not a number of at least 0"),
        ({"max_bias": -1}, "max_bias: -1 is not a number of at least 0"),
        ({"max_bias": True}, "max_bias: True is not a number of at least 0"),
        ({"max_bias": float("nan")}, "max_bias: nan is not a number of at least 0"),
        ({"min_coverage": 95}, "min_coverage: 95 is not a number from 0 to 1"),
        ({"min_skill": 1.5}, "min_skill: 1.5 is not a number of at most 1"),
        ({"min_coverage": [1]}, "min_coverage: [1] is not a number from 0 to 1"),
    ],
)
def test_a_bad_limit_is_told_in_one_line(raw, message):
    with pytest.raises(GateError) as caught:
        parse_gates(raw)
    assert str(caught.value) == message


def test_the_limit_of_a_lag_is_the_larger_of_samples_and_seconds():
    assert limits_of(FidelityGates(), 0.1)[gates.LAG].high == pytest.approx(1)
    assert limits_of(FidelityGates(), 5)[gates.LAG].high == pytest.approx(10)


def test_what_was_not_measured_is_not_judged_and_has_the_reason():
    limit = limits_of(FidelityGates(), 1)[gates.BIAS]
    assert judge(gates.BIAS, "no column", limit)[1:3] == ("not judged", None)
    assert judge(gates.BIAS, "no column", limit).remark == "no column"
    assert [judge(gates.BIAS, value, limit).verdict for value in (-5.1, -5, 0, 5, 5.1)] == [
        "failed", "passed", "passed", "passed", "failed",
    ]  # fmt: skip
