"""The verdict on each test: breaks under a condition, is flaky by itself, holds, cannot run alone, or is not known."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from pytest_twin.analysis.flaky.conditions import COMBINED, CPU_LOAD, CPU_QUOTA, IDLE, Condition
from pytest_twin.analysis.flaky.tally import Tally
from pytest_twin.analysis.stats.proportions import fisher_p_value, share_interval, upper_bound
from pytest_twin.model.flaky_row import BREAKS, BY_CHANCE, HOLDS, NOT_ALONE, NOT_KNOWN

SIGNIFICANT = 0.05  # corrected for the number of pairs of test and condition
SURE = 0.999
ALONE_RUNS = 6  # idle, all failed: then a test cannot run alone
HOLD_RUNS = 3  # without failure: a test then fails in less than 64 % of runs, with 95 % confidence

Tallies = Mapping[str, Mapping[Condition, Tally]]
Pair = tuple[str, Condition]


class Verdict(NamedTuple):
    """The verdict on one test.

    Attributes:
        nodeid: The test.
        word: One of `VERDICTS`.
        decisive: The condition that it is about, the one with the most failures if they are not significant; None if
            it is about none.
        breaking: All conditions under which it fails significantly more often than idle, the mildest first.
        p_values: The p-value for each condition with runs.
        q_values: The same, corrected.
        reason: Why the verdict is not known, of a test that did not fail under the decisive condition; else empty.
    """

    nodeid: str
    word: str
    decisive: Condition | None
    breaking: Sequence[Condition]
    p_values: Mapping[Condition, float]
    q_values: Mapping[Condition, float]
    reason: str = ""


def judge(tallies: Tallies, ladder: Sequence[Condition]) -> list[Verdict]:
    """Return the verdict on each test.

    Args:
        tallies: For each test the runs under each condition, idle too.
        ladder: All conditions, the mildest first.
    """
    chances = p_values(tallies)
    corrected = q_values(chances)
    return [_judge_test(test, of_test, ladder, chances, corrected) for test, of_test in tallies.items()]


def p_values(tallies: Tallies) -> dict[Pair, float]:
    """Return the p-value of each pair of test and condition that has runs that count."""
    return {
        (test, condition): chance
        for test, of_test in tallies.items()
        for condition, chance in p_values_of_test(of_test).items()
    }


def p_values_of_test(of_test: Mapping[Condition, Tally]) -> dict[Condition, float]:
    """Return the p-value of one test for each condition that has runs that count.

    Runs alone are compared with runs alone, and runs beside other tests with runs beside other tests.
    """
    idle = of_test.get(IDLE, Tally())
    return {
        condition: fisher_p_value((tally.alone, idle.alone), (tally.beside, idle.beside)) if tally.failures else 1.0
        for condition, tally in of_test.items()
        if condition != IDLE and tally.runs
    }


def is_apart(tally: Tally, idle: Tally) -> bool:
    """Return whether the failure rate under a condition is surely above that idle, for a test that fails idle too.

    The runs of a search are chosen after those that failed. For a test that fails by chance, one of many conditions
    soon has a small p-value, so its confidence intervals must not overlap either.
    """
    low, _ = share_interval(tally.failures, tally.runs, confidence=SURE)
    return not idle.failures or low > share_interval(idle.failures, idle.runs)[1]


def q_values(chances: Mapping[Pair, float]) -> dict[Pair, float]:
    """Return p-values corrected for their number (Benjamini and Hochberg, 1995)."""
    found: dict[Pair, float] = {}
    least = 1.0
    ordered = sorted(chances, key=chances.__getitem__, reverse=True)
    for behind, pair in enumerate(ordered):
        least = min(least, chances[pair] * len(ordered) / (len(ordered) - behind))
        found[pair] = least
    return found


def hold_runs(of_test: Mapping[Condition, Tally], condition: Condition) -> int:
    """Return the number of runs under a condition and harsher ones: a test that holds there holds here."""
    return sum(
        tally.runs
        for other, tally in of_test.items()
        if other.family == condition.family and other.severity >= condition.severity
    )


def _judge_test(
    test: str,
    of_test: Mapping[Condition, Tally],
    ladder: Sequence[Condition],
    chances: Mapping[Pair, float],
    corrected: Mapping[Pair, float],
) -> Verdict:
    tried = [condition for condition in ladder if (test, condition) in chances]
    idle = of_test.get(IDLE, Tally())
    breaking = [
        condition
        for condition in tried
        if corrected[test, condition] <= SIGNIFICANT and is_apart(of_test[condition], idle)
    ]
    own = {condition: chances[test, condition] for condition in tried}
    own_corrected = {condition: corrected[test, condition] for condition in tried}
    word, decisive, reason = NOT_KNOWN, None, ""
    if breaking:
        word, decisive = BREAKS, min(breaking, key=lambda each: (each.family == COMBINED, ladder.index(each)))
    elif idle.failures and idle.passes:
        word, decisive = BY_CHANCE, IDLE
    elif idle.failures >= ALONE_RUNS:
        word, decisive = NOT_ALONE, IDLE
    elif idle.is_skipped:
        reason = "skipped"
    elif not idle.passes:
        reason = "no run idle passed" if idle.runs else "not run"
    elif suspects := [condition for condition in ladder if of_test.get(condition, Tally()).is_suspect]:
        decisive = max(suspects, key=lambda each: (of_test[each].failures, of_test[each].hints))
    elif (decisive := _harshest_held(of_test, ladder)) is not None:
        word = HOLDS
    else:
        reason = "too few runs"
    return Verdict(test, word, decisive, breaking, own, own_corrected, reason)


def _harshest_held(of_test: Mapping[Condition, Tally], ladder: Sequence[Condition]) -> Condition | None:
    """Return the harshest CPU quota with enough runs; where there are no quotas, the harshest CPU load."""
    family = CPU_QUOTA if any(each.family == CPU_QUOTA for each in ladder) else CPU_LOAD
    held = [each for each in ladder if each.family == family and hold_runs(of_test, each) >= HOLD_RUNS]
    return max(held, key=lambda each: each.severity, default=None)


def hold_bound(of_test: Mapping[Condition, Tally], condition: Condition) -> float:
    """Return the share that the failures of a test that holds are below under a condition, with 95 % confidence."""
    return upper_bound(0, hold_runs(of_test, condition))
