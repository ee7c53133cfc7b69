"""The wording of a comparison in all formats."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from pytest_twin.analysis.comparison.changes import Change
from pytest_twin.analysis.comparison.comparison import Comparison
from pytest_twin.analysis.comparison.measurements import WHOLE
from pytest_twin.analysis.comparison.same_load import MixedLoadTest
from pytest_twin.analysis.comparison.verdicts import (
    LESS,
    MORE,
    PERHAPS_LESS,
    PERHAPS_MORE,
    SAME,
    TOO_SMALL,
    Difference,
    ratio_of,
)
from pytest_twin.model.csv_text import visible
from pytest_twin.model.measure import Measure
from pytest_twin.report.wording import align, format_count

HEADINGS = ("test", "measure", "before", "after", "ratio", "adjusted", "95 % interval", "verdict")
NUMBERS = {"before", "after", "ratio", "adjusted"}
TONES = {MORE: "worse", PERHAPS_MORE: "worse", LESS: "better", PERHAPS_LESS: "better", SAME: "same", TOO_SMALL: "same"}
ALL_TESTS = "all tests together"
ROUNDING = 0.002  # of a ratio: less is of figures that are rounded
LARGE = 1000  # s or MiB: from here on, fractions are not worth their room
FAILED_MARK = " ✗"  # behind the verdict of what breaks a limit


class DifferenceRow(NamedTuple):
    """A difference as texts, in the order of `HEADINGS`.

    `ratio` is that of the two figures before it; `adjusted` is the ratio that the verdict uses, where it differs, with
    the factor that was excluded. The interval belongs to the latter.
    """

    test: str
    measure: str
    before: str
    after: str
    ratio: str
    adjusted: str
    interval: str
    verdict: str


class NamedTests(NamedTuple):
    """A titled list of tests."""

    title: str
    tests: Sequence[str]


def opening_lines(comparison: Comparison) -> list[str]:
    """Return the first lines; a difference of machines is in the first of them."""
    sides = zip(comparison.names, comparison.runs, strict=True)
    runs = " -> ".join(f"{visible(name)} ({format_count(number, 'run')})" for name, number in sides)
    notes = [f"note: {note}" for note in comparison.notes]
    if comparison.machines:
        return [f"different machine: {', '.join(map(visible, comparison.machines))}", runs, *notes]
    return [f"{runs}, on the same machine", *notes]


def tone(each: Difference) -> str:
    """Return ``worse``, ``better`` or ``same`` for the colour of a difference."""
    return "worse" if each.broken else TONES[each.verdict]


def rows(differences: Sequence[Difference]) -> list[DifferenceRow]:
    """Return differences as texts."""
    return [_row(each) for each in differences]


def named_tests(comparison: Comparison) -> Iterator[NamedTests]:
    """Yield lists of tests that are new, removed or not comparable, except empty lists."""
    changes = comparison.changes
    pairs = [{change.before for change in changes.renamed}, {change.after for change in changes.renamed}]
    found = (
        NamedTests("outcome changed", _outcome_changes(changes.outcomes)),
        NamedTests(
            "under a different load, not compared",
            [_load_difference(each) for each in changes.loads if each.load is None],
        ),
        NamedTests(
            "compared under one load only", [_load_difference(each) for each in changes.loads if each.load is not None]
        ),
        NamedTests("possibly renamed, not compared", [f"{each.before} -> {each.after}" for each in changes.renamed]),
        NamedTests("new", [name for name in changes.added if name not in pairs[1]]),
        NamedTests("removed", [name for name in changes.removed if name not in pairs[0]]),
    )
    for title, tests in found:
        if tests:
            yield NamedTests(title, [visible(test) for test in tests])


def broken_limit_lines(comparison: Comparison) -> list[str]:
    """Return a line for each broken limit."""
    found = []
    for each in comparison.broken:
        row = _row(each)
        limits = ", ".join(map(str, each.broken))
        adjusted = f", adjusted {row.adjusted}" if row.adjusted else ""
        absolute = f" ({each.measure.basis})" if each.measure.basis else ""
        figures = f"{row.before} -> {row.after}{absolute}, {row.ratio}{adjusted} {row.interval}".rstrip()
        found.append(f"{limits}: {row.test}: {figures}")
    return found


class AppliedLimit(NamedTuple):
    """A limit that was applied, and whether all figures are within it.

    Attributes:
        limit: The limit.
        text: The limit and the verdict in words.
        is_kept: Whether no figure is over it; None where none was judged.
    """

    limit: str
    text: str
    is_kept: bool | None


def limit_verdicts(comparison: Comparison) -> Iterator[AppliedLimit]:
    """Yield each limit that was applied, and whether it passed."""
    for limit in dict.fromkeys(comparison.limits):
        name = limit.measure.name
        judged = [each for each in comparison.differences if each.measure.name == name]
        over = sum(limit in each.broken for each in judged)
        small = sum(limit in each.unjudged for each in judged)
        if not judged:
            verdict = f"not judged, {name} was not measured on both sides"
        elif small == len(judged):
            verdict = "not judged"
        elif over:
            verdict = f"failed, {over:,} of {format_count(len(judged), 'figure')} over it"
        else:
            verdict = f"passed, {format_count(len(judged) - small, 'figure')} within it"
        if small:
            least = _amount(limit.measure.floor, limit.measure)
            verdict += f", {format_count(small, 'difference')} {TOO_SMALL} (below {least})"
        is_kept = not over if len(judged) > small else None
        yield AppliedLimit(str(limit), f"limit {limit}: {verdict}", is_kept)


def closing_line(comparison: Comparison) -> str:
    """Return the result in one line."""
    compared = len({each.test for each in comparison.differences} - {WHOLE})
    tests = len({each.test for each in comparison.changed})
    verdicts = list(limit_verdicts(comparison))
    broken = sum(each.is_kept is False for each in verdicts)
    limits = f"{broken} of {format_count(len(verdicts), 'limit')} broken" if verdicts else "no limit given"
    if unjudged := sum(each.is_kept is None for each in verdicts):
        limits += f", {unjudged} not judged"
    return f"{format_count(compared, 'test')} compared, {tests:,} changed, {limits}"


def table_lines(differences: Sequence[Difference], width: int) -> Iterator[tuple[str, Difference | None]]:
    """Yield the lines of a table for a text of fixed width, each with its difference; headings have none.

    A test is a heading above its measures, which stay together. Where the table is too wide, what a verdict is based on
    goes to a line below the figures.

    Args:
        differences: The differences, the most severe first.
        width: The largest width.
    """
    by_test: dict[str, list[tuple[Difference, DifferenceRow]]] = {}
    for each, row in zip(differences, rows(differences), strict=True):
        by_test.setdefault(row.test, []).append((each, row))
    cells = [("", *HEADINGS[2:]), *(_cells(*each) for of_test in by_test.values() for each in of_test)]
    table = align(cells)
    if is_narrow := any(len(line) > width for line in table):
        table = align([(*row[:4], row[-1]) for row in cells])
    head, *lines = table
    yield head, None
    texts = iter(lines)
    for test, of_test in by_test.items():
        yield test, None
        for each, row in of_test:
            yield next(texts), each
            basis = [f"adjusted {row.adjusted}"] if row.adjusted else []
            basis += [f"95 % interval {row.interval}"] if row.interval else []
            if is_narrow and basis:
                yield f"    {', '.join(basis)}", each


def _cells(each: Difference, row: DifferenceRow) -> tuple[str, ...]:
    verdict = f"{each.verdict}{FAILED_MARK if each.broken else ''}"
    return f"  {row.measure}", row.before, row.after, row.ratio, row.adjusted, row.interval, verdict


def _row(each: Difference) -> DifferenceRow:
    verdict = each.verdict + (f", over {', '.join(map(str, each.broken))}" if each.broken else "")
    interval = "" if each.low is None or each.high is None else f"{_times(each.low)} to {_times(each.high)}"
    is_nothing = not each.is_changed and max(each.before, each.after) < each.measure.floor
    printed = ratio_of(_shown(each.before, each.measure), _shown(each.after, each.measure))
    is_adjusted = not math.isclose(printed, each.adjusted, rel_tol=ROUNDING)
    ratio, adjusted, common = map(_times, (printed, each.adjusted, each.common))
    beside = f" (all tests x{common})" if common != _times(1) else ""
    return DifferenceRow(
        ALL_TESTS if each.test == WHOLE else visible(each.test),
        str(each.measure),
        _amount(each.before, each.measure),
        _amount(each.after, each.measure),
        "" if is_nothing else f"x{ratio}",
        "" if is_nothing or adjusted == ratio or not is_adjusted else f"x{adjusted}{beside}",
        interval,
        verdict,
    )


def _times(ratio: float) -> str:
    return "inf" if math.isinf(ratio) else f"{ratio:.2f}"


def _amount(value: float, measure: Measure) -> str:
    shown = _shown(value, measure)
    if _is_in_ms(value, measure):
        return f"{1000 * shown:.1f} ms"
    return f"{shown:,.0f} {measure.unit}" if value >= LARGE else f"{shown:.2f} {measure.unit}"


def _shown(value: float, measure: Measure) -> float:
    """Return a figure rounded as it is printed, so that the printed ratio matches the printed figures."""
    return round(value, 4 if _is_in_ms(value, measure) else 0 if value >= LARGE else 2)


def _is_in_ms(value: float, measure: Measure) -> bool:
    return measure.unit == "s" and value < 1


def _load_difference(each: MixedLoadTest) -> str:
    """Return the loads of a test on both sides, with numbers of runs if a side has several."""
    if each.load is None:
        return f"{each.test}: {_loads(each.before)} -> {_loads(each.after)}"
    counts = (f"{side.get(each.load, 0)} of {sum(side.values())} runs" for side in (each.before, each.after))
    return f"{each.test}: {each.load or 'none'}, {' -> '.join(counts)}"


def _loads(runs: Mapping[str, int]) -> str:
    return "/".join(sorted(load or "none" for load in runs))


def _outcome_changes(found: Sequence[Change]) -> list[str]:
    return [f"{each.test}: {each.before or 'none'} -> {each.after or 'none'}" for each in found]
