"""The terminal summary as plain lines."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from textwrap import wrap
from typing import TYPE_CHECKING

from pytest_twin._system.stdlib import os
from pytest_twin.analysis.run.by_host import on_host
from pytest_twin.analysis.run.overview import (
    WORTH_TELLING_MB,
    Row,
    RunOverview,
    SuiteFigures,
)
from pytest_twin.model import event
from pytest_twin.model.csv_text import visible
from pytest_twin.report.wording import (
    TERMINAL_WIDTH,
    format_change,
    format_count,
    relative_path,
    terminal_width,
    truncate_middle,
)
from pytest_twin.run_folder.csv_rows import count_rows
from pytest_twin.run_folder.folder import RunFolder
from pytest_twin.run_folder.layout import PROFILE, TESTS

if TYPE_CHECKING:
    from pathlib import Path

    from pytest_twin.telemetry.sampler import SamplerStats

MOST_FAILURES = 10
MOST_LEAKS = 3
SHORTEST_ID = 24
WORTH_TELLING_S = 0.05


def summary(
    folder: RunFolder,
    sampled: SamplerStats,
    dropped: int,
    base_dir: Path,
    overview: RunOverview | None = None,
    warned: Collection[str] = (),
) -> Iterator[str]:
    """Yield the lines: samples and tests, applied loads, the most expensive tests, and the path of the files.

    Args:
        folder: The run.
        sampled: What the sampler did.
        dropped: Rows that could not be written.
        base_dir: The directory that paths are relative to.
        overview: What its tables have, where they were read already.
        warned: What the user was warned about already, as in ``cpu=75%: starved``.
    """
    overview = overview or RunOverview(folder.events_without_tests(), SuiteFigures(folder.iterate_rows(TESTS)))
    events, tests = overview.events, overview.tests
    missed = f", {sampled.missed} missed" if sampled.missed else ""
    ran = f", {format_count(tests.counter.number, 'test')}" if tests.counter.number else ""
    lost = f", {sampled.dropped + dropped} rows could not be written" if sampled.dropped + dropped else ""
    yield f"{format_count(sampled.rows, 'sample')}{missed}{ran}{lost}"
    for name, host in folder.other_hosts():
        many = tests.attempts[name]
        attempts = f", {format_count(many, 'attempt of a test', 'attempts of tests')}" if many else ""
        yield f"{format_count(count_rows(host.dataset_files()), 'sample')} on {name}{attempts}"
    yield from (f"warning: {warning}" for warning in sampled.warnings)
    if of_loads := [row for row in events if row["target"] or row["event"] == event.SKIP]:
        from pytest_twin.report.load_terminal import load_lines

        yield from load_lines(of_loads, warned)
    if rows := folder.rows(PROFILE):
        from pytest_twin.report.profile_terminal import profile_lines

        yield from profile_lines(rows)
    yield from _failures(folder, tests.bad_attempts)
    yield from _heaviest(tests)
    yield from _leaks(tests.kept.leaks)
    yield f"files: {relative_path(folder.path, base_dir)}{os.sep}"


def _failures(folder: RunFolder, bad_attempts: int) -> Iterator[str]:
    """Yield the failed tests, each with what stood out while it ran: of several attempts, the first that failed."""
    if not bad_attempts:
        return
    from pytest_twin.report.explanations import explain_failures

    found = explain_failures(folder, MOST_FAILURES + 1, once=True)
    if found:
        yield "failed tests, and what stood out while they ran"
    for (host, nodeid, _, number), sentence in list(found.items())[:MOST_FAILURES]:
        attempt = f", attempt {number}" if number > 1 else ""
        yield f"  {visible(nodeid)}{attempt}{on_host(host)}"
        yield from wrap(visible(sentence), TERMINAL_WIDTH, initial_indent="      ", subsequent_indent="      ")
    if len(found) > MOST_FAILURES:
        yield f"  … and more in {TESTS}"


def _heaviest(tests: SuiteFigures) -> Iterator[str]:
    """Yield the tests that stand out by CPU time, memory growth or writes; nothing where none does."""
    lines = []
    for row, seconds, share in tests.cpu.outstanding(WORTH_TELLING_S):
        lines.append(_heavy_line(row, "CPU", f"{seconds:.2f} s", share))
    for row, grown, _ in tests.growth.outstanding(WORTH_TELLING_MB):
        lines.append(_heavy_line(row, "growth", f"{grown:+.1f} MiB"))
    for row, written, share in tests.written.outstanding(WORTH_TELLING_MB):
        lines.append(_heavy_line(row, "writes", f"{written:.1f} MiB", share))
    if lines:
        yield "heaviest tests: CPU time, memory growth, writes; with their share of all"
    yield from lines


def _heavy_line(row: Row, resource: str, amount: str, share: float | None = None) -> str:
    from pytest_twin.model.quantity import format_share

    shown = "" if share is None else format_share(share)
    return _table_line(f"  {resource:<6}{amount:>11}{shown:>6}  ", f"{row['nodeid']}{on_host(row['host'])}")


def _leaks(found: Sequence[tuple[str, float]]) -> Iterator[str]:
    """Yield the tests that kept memory; nothing if there are none."""
    if found:
        yield "kept memory, after all of their attempts"
    for test, size in found[:MOST_LEAKS]:
        yield _table_line(f"  {format_change(size):>17}        ", test)
    if len(found) > MOST_LEAKS:
        yield f"  … and {len(found) - MOST_LEAKS} more in {TESTS}"


def _table_line(figures: str, test: str) -> str:
    """Return a line of a table that fits the terminal: where there is no room, the id of the test has gaps."""
    return f"{figures}{truncate_middle(visible(test), max(SHORTEST_ID, terminal_width() - len(figures)))}"
