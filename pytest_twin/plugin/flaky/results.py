"""Write flaky.csv and flaky_failures.json from the runs of a search."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from pytest_twin.analysis.flaky.conditions import IDLE
from pytest_twin.analysis.flaky.tally import Tally, resolve
from pytest_twin.analysis.flaky.verdicts import hold_bound, judge
from pytest_twin.analysis.stats.proportions import share_interval, upper_bound
from pytest_twin.model.flaky_row import FIELDS, HOLDS
from pytest_twin.run_folder.layout import FLAKY, FLAKY_FAILURES
from pytest_twin.run_folder.tables import table_text

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pytest_twin.analysis.flaky.conditions import Condition
    from pytest_twin.analysis.flaky.planner import Planner
    from pytest_twin.analysis.flaky.verdicts import Verdict
    from pytest_twin.recording.recording import Recording

FEWEST_REPETITIONS, MOST_REPETITIONS = 10, 100
SURE = 0.01  # the chance that the printed command does not fail once
MIB = 1 << 20

Row = dict[str, str]


def write_results(planner: Planner, recording: Recording) -> list[Row]:
    """Write the files as a whole, and return the rows of flaky.csv in the order of the tests.

    Raises:
        RunFolderError: A file cannot be written.
    """
    stamp = recording.clock.stamp(recording.elapsed())
    rows = [row for verdict in judge(planner.tallies, planner.ladder) for row in _rows(verdict, planner, stamp)]
    recording.folder.write_text(FLAKY, table_text(FIELDS, rows))
    failures = {
        test: {str(resolve(condition, of_test)): failure.report for condition, failure in found}
        for test, of_test in planner.tallies.items()
        if (found := [(each, failure) for each, tally in of_test.items() if (failure := tally.first_failure)])
    }
    if failures:
        recording.folder.write_json(FLAKY_FAILURES, failures)
    return rows


def _rows(verdict: Verdict, planner: Planner, stamp: str) -> Iterator[Row]:
    """Yield a row for each condition that a test was run under; one without runs for a test that was not run."""
    of_test = planner.tallies[verdict.nodeid]
    tried = [each for each in (IDLE, *planner.ladder) if each in of_test] or [IDLE]
    for condition in tried:
        yield _row(verdict, condition, of_test, stamp)


def _row(verdict: Verdict, condition: Condition, of_test: dict[Condition, Tally], stamp: str) -> Row:
    tally = of_test.get(condition, Tally())
    resolved = resolve(condition, of_test)
    low, high = share_interval(tally.failures, tally.runs)
    is_held = verdict.word == HOLDS and condition == verdict.decisive
    bound = hold_bound(of_test, condition) if is_held else upper_bound(tally.failures, tally.runs)
    failure = tally.first_failure
    ended = sorted(tally.durations)
    values = {
        "timestamp": stamp,
        "nodeid": verdict.nodeid,
        "host": "",
        "verdict": verdict.word,
        "is_decisive": int(condition == verdict.decisive),
        "condition": str(resolved),
        "family": condition.family,
        "severity": condition.severity,
        "runs": tally.runs,
        "failures": tally.failures,
        "failure_rate": _number(tally.failures / tally.runs if tally.runs else None),
        "failure_rate_low": _number(low if tally.runs else None),
        "failure_rate_high": _number(high if tally.runs else None),
        "fails_below": _number(bound if tally.runs else None),
        "p_value": _number(verdict.p_values.get(condition)),
        "q_value": _number(verdict.q_values.get(condition)),
        "duration_s": _number(tally.middle(lambda each: each.duration_s if each.is_ended else None)),
        "duration_min_s": _number(ended[0] if ended else None),
        "duration_max_s": _number(ended[-1] if ended else None),
        "cpu_s": _number(tally.middle(lambda each: each.cpu_s)),
        "throttled_s": _number(tally.middle(lambda each: each.throttled_s)),
        "cpu_wait_s": _number(tally.middle(lambda each: each.cpu_wait_s)),
        "disk_wait_s": _number(tally.middle(lambda each: each.disk_wait_s)),
        "peak_memory_MB": _number((tally.largest(lambda each: each.peak_bytes) or 0.0) / MIB or None),
        "error": failure.error if failure is not None else verdict.reason if condition == tried_first(of_test) else "",
        "command": resolved.command(verdict.nodeid, repetitions(tally)),
    }
    return {name: str(value) for name, value in values.items()}


def tried_first(of_test: dict[Condition, Tally]) -> Condition:
    """Return the condition whose row has the reason why a verdict is not known."""
    return next(iter(of_test), IDLE)


def repetitions(tally: Tally) -> int:
    """Return the number of repetitions after which a test has failed at least once with 99 % probability, in tens."""
    rate = (tally.failures + 0.5) / (tally.runs + 1)
    needed = math.ceil(math.log(SURE) / math.log1p(-rate) / 10) * 10 if tally.failures else FEWEST_REPETITIONS
    return min(MOST_REPETITIONS, max(FEWEST_REPETITIONS, needed))


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.6g}"
