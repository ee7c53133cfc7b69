"""Repeat a test before the run that pytest reports, to measure how long it takes, idle and under load."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast
from zlib import crc32

from _pytest.runner import runtestprotocol  # plugins for reruns use it too; pytest offers no other way

from pytest_twin.analysis.budgets.budget import OVER, UNKNOWN, LimitVerdict
from pytest_twin.loads.spec import Load
from pytest_twin.plugin.stash import LAST_REPETITION, REPETITION_LOAD

if TYPE_CHECKING:
    import pytest

    from pytest_twin.analysis.budgets.budget import Budget
    from pytest_twin.analysis.budgets.repetitions import Repetition, RunPair

NO_LOAD = Load()


class UnrepeatableError(Exception):
    """A repetition of a test did not pass; its report says why."""

    def __init__(self, report: pytest.TestReport, load: Load) -> None:
        super().__init__(f"a repetition{f' under {load}' if load else ''} {report.outcome} in its {report.when}")
        self.report, self.load = report, load


def run_repetition(item: pytest.Item, load: Load = NO_LOAD) -> Repetition:
    """Run a test once, with its set-up and teardown, without a report.

    Args:
        item: The test.
        load: A load to apply around its body, in addition to its own.

    Raises:
        UnrepeatableError: It did not pass.
    """
    from pytest_twin.analysis.budgets.repetitions import Repetition

    sections = item._report_sections  # noqa: SLF001 - otherwise its output would be shown once for each run
    kept = sections[:]
    item.stash[REPETITION_LOAD] = load
    try:
        # fixtures with a wider scope stay: for pytest the next test is another one of the same class or module
        reports = runtestprotocol(item, log=False, nextitem=cast("pytest.Item", item.parent))
    finally:
        del item.stash[REPETITION_LOAD]
        sections[:] = kept
    attempt = item.stash[LAST_REPETITION]
    del item.stash[LAST_REPETITION]
    for report in reports:
        if not report.passed:
            raise UnrepeatableError(report, load)
    applied = attempt.applied_loads[len(attempt.applied_loads) - len(load.parts) :]
    problems = [f"{each.part}: {problem}" for each in applied if (problem := each.problem)]
    return Repetition(
        attempt.call_s,
        attempt.cpu_s,
        tuple(each.achieved_text for each in applied),
        "; ".join(problems),
        tuple(each.achieved for each in applied),
    )


def judge_by_repetition(item: pytest.Item, budget: Budget) -> list[LimitVerdict]:
    """Run a test as often as its budget needs, and return the verdicts.

    The first run is a warm-up for what is slow only once, such as imports, and does not count.
    """
    pairs: list[RunPair] = []
    alone: list[Repetition] = []
    try:
        run_repetition(item)
    except UnrepeatableError:
        return []  # the reported run shows why
    try:
        _run_all(item, budget, pairs, alone)
    except UnrepeatableError as error:
        verdict = OVER if error.report.failed else UNKNOWN
        number = 2 * len(pairs) + len(alone) + 1
        printed = (f"{name}:\n{content}" for name, content in error.report.sections)
        text = "\n".join((f"{error}, after {number} that passed", error.report.longreprtext, *printed))
        return [LimitVerdict("repetitions", verdict, str(error), text.rstrip())]
    return _judge(budget, pairs, alone)


def _run_all(item: pytest.Item, budget: Budget, pairs: list[RunPair], alone: list[Repetition]) -> None:
    from pytest_twin.analysis.budgets.repetitions import RunPair, randomized_order

    load = budget.slowdown.under if budget.slowdown else NO_LOAD
    counts = budget.slowdown.pairs if budget.slowdown else 0, budget.percentiles.repeats if budget.percentiles else 0
    for turn in randomized_order(*counts, seed=crc32(item.nodeid.encode("utf-8", "surrogatepass"))):
        runs = {is_stressed: run_repetition(item, load if is_stressed else NO_LOAD) for is_stressed in turn}
        if len(runs) == 2:
            pairs.append(RunPair(runs[False], runs[True]))
        else:
            alone.append(runs[False])


def _judge(budget: Budget, pairs: list[RunPair], alone: list[Repetition]) -> list[LimitVerdict]:
    from pytest_twin.analysis.budgets.repetitions import percentiles, slowdown

    found = [slowdown(budget.slowdown, pairs)] if budget.slowdown else []
    if budget.percentiles:
        idle = [*(pair.idle.wall_s for pair in pairs), *(each.wall_s for each in alone)]
        found += percentiles(budget.percentiles, idle)
    return found
