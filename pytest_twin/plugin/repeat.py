"""Repeat a test before the run that pytest reports, to measure how long it takes, idle and under load."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast
from zlib import crc32

import pytest
from _pytest.runner import (  # plugins for reruns use them too; pytest offers no other way
    call_and_report,
    runtestprotocol,
    show_test_item,
)

from pytest_twin.analysis.budgets.budget import OK, OVER, UNKNOWN, LimitVerdict
from pytest_twin.loads.spec import Load
from pytest_twin.plugin.measured_budgets import MEASURED
from pytest_twin.plugin.progress import Progress
from pytest_twin.plugin.stash import LAST_REPETITION, REPETITION_LOAD, TIMEOUT_SETTINGS

try:
    from _pytest.subtests import failed_subtests_key
except ImportError:  # before pytest 9
    failed_subtests_key = None  # type: ignore[assignment]

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from pytest_twin.analysis.budgets.budget import Budget
    from pytest_twin.analysis.budgets.repetitions import Repetition, RunPair

NO_LOAD = Load()
LONGEST_ERROR = 120


class UnrepeatableError(Exception):
    """A repetition of a test did not pass; its report says why."""

    def __init__(self, report: pytest.TestReport, load: Load) -> None:
        super().__init__(f"a repetition{f' under {load}' if load else ''} {report.outcome} in its {report.when}")
        self.report, self.load = report, load


def error_line(report: pytest.TestReport, longest: int = LONGEST_ERROR) -> str:
    """Return the first line of the error of a report; of a text that is no traceback, the end of the last.

    Args:
        report: The report.
        longest: The number of characters to which the line is shortened.
    """
    crash = getattr(report.longrepr, "reprcrash", None)
    lines = str(crash.message if crash is not None else report.longrepr).strip().splitlines() or [report.outcome]
    return lines[0][:longest] if crash is not None else lines[-1][-longest:]


def run_repetition(item: pytest.Item, load: Load = NO_LOAD) -> Repetition:
    """Run a test once, with its set-up and teardown, without a report.

    Args:
        item: The test.
        load: A load to apply around its body, in addition to its own.

    Raises:
        UnrepeatableError: It did not pass.
    """
    from pytest_twin.analysis.budgets.repetitions import Repetition

    state = ItemState(item)
    item.stash[REPETITION_LOAD] = load
    try:
        # fixtures with a wider scope stay: for pytest the next test is another one of the same class or module
        reports = runtestprotocol(item, log=False, nextitem=cast("pytest.Item", item.parent))
    finally:
        del item.stash[REPETITION_LOAD]
        state.restore()
    fail_by_subtests(item, reports)
    attempt = item.stash[LAST_REPETITION]
    del item.stash[LAST_REPETITION]
    for report in reports:
        if not report.passed:
            raise UnrepeatableError(report, load)
    applied = [each for each in attempt.applied_loads if any(each.part is part for part in load.parts)]
    problems = [f"{each.part}: {problem}" for each in applied if (problem := each.problem)]
    return Repetition(
        attempt.call_s,
        attempt.cpu_s,
        tuple(each.achieved_text for each in applied),
        "; ".join(problems),
        tuple(each.achieved for each in applied),
    )


def restart_timeout(item: pytest.Item) -> None:
    """Restart the timer of pytest-timeout before another run of a test, which may hang as well.

    Its timer stops where a run fails, or reaches the limit.
    """
    stop_timeout(item)
    if TIMEOUT_SETTINGS in item.stash:
        item.ihook.pytest_timeout_set_timer(item=item, settings=item.stash[TIMEOUT_SETTINGS])


def stop_timeout(item: pytest.Item) -> None:
    """Stop the timer of pytest-timeout for the time of what is no run of the test, such as the start of a load."""
    if TIMEOUT_SETTINGS in item.stash:
        item.ihook.pytest_timeout_cancel_timer(item=item)


def run_phases(
    item: pytest.Item, next_of: Callable[[list[pytest.TestReport]], pytest.Item | None]
) -> list[pytest.TestReport]:
    """Run the set-up, the body and the teardown of a test, as `runtestprotocol` of pytest does without logging.

    Args:
        item: The test.
        next_of: Returns, by the reports of the set-up and the body, the test for which the teardown keeps fixtures.
    """
    phased: Any = item
    has_request = hasattr(item, "_request")
    if has_request and not phased._request:  # noqa: SLF001 - it is run again
        phased._initrequest()  # noqa: SLF001
    try:
        reports = [call_and_report(item, "setup", log=False)]
        if reports[0].passed:
            if item.config.getoption("setupshow", False):
                show_test_item(item, add_space=True)
            reports.append(call_and_report(item, "call", log=False))
        reports.append(call_and_report(item, "teardown", log=False, nextitem=next_of(reports)))
    finally:
        if has_request:
            phased._request, phased.funcargs = False, None  # noqa: SLF001
    return reports


def fail_by_subtests(item: pytest.Item, reports: Iterable[pytest.TestReport]) -> None:
    """Let the report of a body fail if a subtest of it has failed, which pytest does when it shows the report."""
    if failed_subtests_key is None or failed_subtests_key not in item.config.stash:
        return
    counts = item.config.stash[failed_subtests_key]
    if number := sum(counts.values()):
        counts.clear()  # for the next run
        for report in reports:
            if report.when == "call" and report.passed:
                report.outcome = "failed"
                report.longrepr = f"contains {number} failed subtest{'s' if number > 1 else ''}"


class ItemState:
    """The state of a test before it runs, so that each of several runs begins as the first did."""

    def __init__(self, item: pytest.Item) -> None:
        """Keep the state."""
        self._item = item
        self._sections, self._properties = item._report_sections[:], item.user_properties[:]  # noqa: SLF001
        self._names = dict(item.dtest.globs) if hasattr(item, "dtest") else None

    def restore(self) -> None:
        """Restore it: output, properties, the names of a doctest; the next run gets a new instance of its class."""
        item: Any = self._item
        item._report_sections[:], item.user_properties[:] = self._sections, self._properties  # noqa: SLF001
        if self._names is not None:
            item.dtest.globs = self._names.copy()
        if (instance := getattr(item, "_instance", None)) is not None and isinstance(item, pytest.Function):
            method: Any = getattr(instance, item.originalname, None)
            if item.obj == method:  # and not what another plugin has put in its place
                item._obj = None  # noqa: SLF001
                del item._instance  # noqa: SLF001


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
    verdicts = _judge(budget, pairs, alone)
    item.user_properties += [(MEASURED, each.text) for each in verdicts if each.verdict == OK]
    return verdicts


def _run_all(item: pytest.Item, budget: Budget, pairs: list[RunPair], alone: list[Repetition]) -> None:
    from pytest_twin.analysis.budgets.repetitions import RunPair, randomized_order

    load = budget.slowdown.under if budget.slowdown else NO_LOAD
    counts = budget.slowdown.pairs if budget.slowdown else 0, budget.percentiles.repeats if budget.percentiles else 0
    progress, whole = Progress(item.config), counts[0] + max(counts)
    for turn in randomized_order(*counts, seed=crc32(item.nodeid.encode("utf-8", "surrogatepass"))):
        progress.show(lambda: f"budget of {item.nodeid}: {2 * len(pairs) + len(alone)} of {whole} runs")
        runs = {is_stressed: run_repetition(item, load if is_stressed else NO_LOAD) for is_stressed in turn}
        if len(runs) == 2:
            pairs.append(RunPair(runs[False], runs[True]))
        else:
            alone.append(runs[False])
    progress.clear()


def _judge(budget: Budget, pairs: list[RunPair], alone: list[Repetition]) -> list[LimitVerdict]:
    from pytest_twin.analysis.budgets.repetitions import percentiles, slowdown

    found = [slowdown(budget.slowdown, pairs)] if budget.slowdown else []
    if budget.percentiles:
        idle = [*(pair.idle.wall_s for pair in pairs), *(each.wall_s for each in alone)]
        found += percentiles(budget.percentiles, idle)
    return found
