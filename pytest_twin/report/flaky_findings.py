"""Group the rows of flaky.csv by test, the tests that break first."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import groupby
from typing import NamedTuple

from pytest_twin.analysis.run.by_host import on_host
from pytest_twin.model.csv_text import parse_number
from pytest_twin.model.duration_text import NOTHING, format_duration
from pytest_twin.model.flaky_row import BREAKS, BY_CHANCE, HOLDS, IDLE, NOT_ALONE, NOT_KNOWN, VERDICTS
from pytest_twin.model.quantity import format_share
from pytest_twin.report.wording import format_count

Row = Mapping[str, str]


class FlakyFinding(NamedTuple):
    """What the search found out about one test.

    Attributes:
        nodeid: The node id of the test, with its host if there are several.
        verdict: One of `pytest_twin.model.flaky_row.VERDICTS`.
        rows: Its rows, one a condition.
        decisive: The row that the verdict is about.
        idle: The row of the runs without load and constraint; empty where there is none.
    """

    nodeid: str
    verdict: str
    rows: Sequence[Row]
    decisive: Row
    idle: Row

    @property
    def needs_attention(self) -> bool:
        """Whether the test does not hold."""
        return self.verdict != HOLDS

    @property
    def command(self) -> str:
        """The command that runs the test again where it failed; empty for a test that failed idle or did not fail."""
        has_failed = self.verdict == BREAKS or self.is_suspect
        return self.decisive.get("command", "") if has_failed else ""

    @property
    def is_suspect(self) -> bool:
        """Whether the test failed under a condition, but too rarely for a verdict."""
        return self.verdict == NOT_KNOWN and self.decisive.get("is_decisive") == "1"

    @property
    def conclusion(self) -> str:
        """The verdict in one clause, with the condition and the counts."""
        condition = self.decisive.get("condition", "")
        bound = parse_number(self.decisive.get("fails_below"))
        if self.verdict == BREAKS:
            return (
                f"breaks under {condition}: failed {format_failures(self.decisive)}, idle {format_failures(self.idle)}"
            )
        if self.verdict == BY_CHANCE:
            return f"flaky by itself: failed {format_failures(self.idle)} idle"
        if self.verdict == NOT_ALONE:
            return "cannot run alone: fails in a process of its own"
        if self.verdict == HOLDS and bound is not None:
            return f"holds: fails less than {format_share(bound)} under {condition}, with 95 % confidence"
        if self.is_suspect:
            return f"{self.verdict}: {self._suspicion}"
        reason = self.decisive.get("error", "") if self.verdict == NOT_KNOWN else ""
        return f"{self.verdict}: {reason}" if reason else self.verdict

    @property
    def _suspicion(self) -> str:
        condition, counts, idle = (self.decisive.get("condition"), *map(format_failures, (self.decisive, self.idle)))
        if parse_number(self.decisive.get("failures")):
            return f"failed {counts} under {condition}, idle {idle}, too few for a verdict"
        alone = f"{counts} alone" if parse_number(self.decisive.get("runs")) else "was not run alone"
        return f"failed under {condition} beside other tests, {alone}, idle {idle}"


def group_findings(rows: Sequence[Row]) -> list[FlakyFinding]:
    """Return the findings of a search, ordered by verdict and within it as they ran."""
    found = [_finding(test, list(of_test)) for test, of_test in groupby(rows, key=_test_of)]
    return sorted(found, key=lambda each: VERDICTS.index(each.verdict))


def _test_of(row: Row) -> str:
    return row.get("nodeid", "") + on_host(row.get("host", ""))


def _finding(nodeid: str, rows: Sequence[Row]) -> FlakyFinding:
    verdict = rows[0].get("verdict", "")
    idle = next((row for row in rows if row.get("condition") == IDLE), {})
    decisive = next((row for row in rows if row.get("is_decisive") == "1"), idle)
    return FlakyFinding(nodeid, verdict if verdict in VERDICTS else NOT_KNOWN, rows, decisive, idle)


def format_failures(row: Row) -> str:
    """Return the failures among the runs of a condition: ``8 of 10``."""
    return f"{row.get('failures') or 0} of {row.get('runs') or 0}"


def format_interval(row: Row) -> str:
    """Return the confidence interval of the share of failures; empty without runs."""
    low, high = (parse_number(row.get(f"failure_rate_{border}")) for border in ("low", "high"))
    return "" if low is None or high is None else f"{format_share(low)} to {format_share(high)}"


def format_seconds(cell: str | None) -> str:
    """Return a duration for people; a dash where it is unknown."""
    seconds = parse_number(cell)
    return NOTHING if seconds is None else format_duration(seconds)


def describe_findings(findings: Sequence[FlakyFinding]) -> str:
    """Return how many tests have which verdict, in one sentence."""
    counts = {verdict: sum(each.verdict == verdict for each in findings) for verdict in VERDICTS}
    runs = int(sum(parse_number(row.get("runs")) or 0 for each in findings for row in each.rows))
    said = "; ".join(f"{verdict}: {count:,}" for verdict, count in counts.items() if count)
    return f"{format_count(len(findings), 'test')} in {runs:,} runs. {said[:1].upper()}{said[1:]}."
