"""Shares of failures: intervals and the exact test, against values of scipy 1.16 and values computed by hand."""

from __future__ import annotations

import pytest

from pytest_twin.analysis.stats.proportions import Share, fisher_p_value, share_interval, upper_bound

INTERVALS = {  # scipy.stats.binomtest(failures, runs).proportion_ci(method="exact")
    (8, 10): (0.4439045376923585, 0.9747892736731665),
    (0, 10): (0.0, 0.30849710781876294),
    (10, 10): (0.6915028921812371, 1.0),
    (3, 7): (0.09898827844243689, 0.81594843235993),
    (1, 40): (0.0006327449320901936, 0.13158585848276577),
}
BOUNDS = {(8, 10): 0.9632285621125349, (3, 7): 0.7746784159675522, (1, 40): 0.11318836094473754}  # scipy.stats.beta.ppf


@pytest.mark.parametrize(("counts", "interval"), INTERVALS.items())
def test_the_interval_of_a_share_is_that_of_clopper_and_pearson(counts, interval):
    assert share_interval(*counts) == pytest.approx(interval, abs=1e-9)


@pytest.mark.parametrize(("counts", "bound"), BOUNDS.items())
def test_the_bound_of_a_share_is_one_sided(counts, bound):
    assert upper_bound(*counts) == pytest.approx(bound, abs=1e-9)


def test_a_test_that_never_failed_in_59_runs_fails_less_than_once_in_twenty():
    assert upper_bound(0, 59) < 0.05 < upper_bound(0, 58)
    assert upper_bound(0, 10) == pytest.approx(1 - 0.05**0.1)


def test_nothing_is_known_of_a_share_without_runs():
    assert share_interval(0, 0) == (0.0, 1.0)
    assert upper_bound(0, 0) == 1.0


@pytest.mark.parametrize(
    ("failures", "runs", "idle_failures", "idle_runs", "expected"),
    [
        (5, 5, 0, 8, 1 / 1287),  # one way of C(13, 5)
        (6, 6, 0, 10, 1 / 8008),
        (3, 10, 1, 12, 0.22556390977443608),  # scipy.stats.fisher_exact(alternative="greater")
        (6, 10, 2, 20, 0.007234844116403337),
        (0, 3, 0, 4, 1.0),
        (2, 3, 4, 4, 1.0),
        (0, 0, 0, 4, 1.0),
    ],
)
def test_more_failures_than_idle_are_judged_by_the_exact_test(failures, runs, idle_failures, idle_runs, expected):
    shares = Share(failures, runs), Share(idle_failures, idle_runs)
    assert fisher_p_value(shares) == pytest.approx(expected, rel=1e-9)
    nothing = Share(0, 0), Share(0, 3)
    assert fisher_p_value(nothing, shares) == pytest.approx(expected, rel=1e-9)


def test_strata_are_judged_together_each_by_its_own_other_runs():
    certain = Share(3, 3), Share(0, 4)
    assert fisher_p_value(certain, certain) == pytest.approx(1 / 35**2)
    assert fisher_p_value((Share(1, 1), Share(0, 3)), certain) == pytest.approx(1 / 140)
    assert fisher_p_value((Share(0, 4), Share(0, 4)), (Share(5, 5), Share(4, 4))) == 1.0
    mixed = (Share(2, 3), Share(1, 4)), (Share(3, 4), Share(1, 4))
    assert fisher_p_value(*mixed) == pytest.approx(275 / 2450)  # all ways to choose the runs that fail, counted
