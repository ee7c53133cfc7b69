"""The terminal summary as plain lines."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from textwrap import wrap
from typing import TYPE_CHECKING

from pytest_twin._system.stdlib import os
from pytest_twin.analysis.run.by_host import on_host
from pytest_twin.analysis.run.overview import (
    WORTH_TELLING_MB,
    LoadLine,
    Row,
    cpu_s,
    growth_MB,
    heaviest,
    leaks,
    loads,
    skipped,
)
from pytest_twin.analysis.run.totals import CountedAttempt, number_of_tests
from pytest_twin.model.attempt_row import BAD
from pytest_twin.model.csv_text import visible
from pytest_twin.model.profile_row import LEVELS, LOADS, QUOTA
from pytest_twin.report.explanations import explain_failures
from pytest_twin.report.profile_ranking import failures_by_curve, first_error, format_failures, rank_resources
from pytest_twin.report.wording import format_change, format_count, relative_path
from pytest_twin.run_folder.csv_rows import count_rows
from pytest_twin.run_folder.folder import RunFolder
from pytest_twin.run_folder.layout import ANNOTATIONS, PROFILE, TESTS

if TYPE_CHECKING:
    from pathlib import Path

    from pytest_twin.run_folder.tables import RunTables
    from pytest_twin.telemetry.sampler import SamplerStats

MOST_LOADS = 10
MOST_FAILURES, WIDTH = 10, 80
MOST_ANSWERS = 3
MOST_LEAKS = 3
WORTH_TELLING_S = 0.01


def summary(
    folder: RunFolder, sampled: SamplerStats, dropped: int, base_dir: Path, tables: RunTables | None = None
) -> Iterator[str]:
    """Yield the lines: samples and tests, applied loads, the most expensive tests, and the path of the files.

    Args:
        folder: The run.
        sampled: What the sampler did.
        dropped: Rows that could not be written.
        base_dir: The directory that paths are relative to.
        tables: The tables of the run, where they were read already.
    """
    tables = tables or folder.read_tables()
    events, tests = tables.events, tables.tests
    missed = f", {sampled.missed} missed" if sampled.missed else ""
    lost = f", {sampled.dropped + dropped} rows could not be written" if sampled.dropped + dropped else ""
    number = number_of_tests(map(CountedAttempt.of, tests))
    yield f"{format_count(sampled.rows, 'sample')}{missed}, {format_count(number, 'test')}{lost}"
    for name, host in folder.other_hosts():
        attempts = format_count(sum(row["host"] == name for row in tests), "attempt of a test", "attempts of tests")
        yield f"{format_count(count_rows(host.dataset_files()), 'sample')} on {name}, {attempts}"
    yield from (f"warning: {warning}" for warning in sampled.warnings)
    yield from _load_lines(loads(events))
    yield from profile_lines(folder.rows(PROFILE))
    missing = skipped(events)
    if missing:
        kinds = ", ".join(f"{number} {kind}" for kind, number in missing.items())
        yield f"not started before the end of the run: {kinds}"
    yield from _failures(folder, tests)
    yield from _heaviest(tests)
    yield from _kept_memory((row["nodeid"] + on_host(row["host"]), _number(row["memory_kept_MB"])) for row in tests)
    yield f"files: {relative_path(folder.path, base_dir)}{os.sep}"


def _failures(folder: RunFolder, tests: Sequence[Row]) -> Iterator[str]:
    """Yield the failed tests, each with what stood out while it ran."""
    found = explain_failures(folder, tests, MOST_FAILURES)
    if found:
        yield "failed tests, and what stood out while they ran"
    for (host, nodeid, _, number), sentence in found.items():
        attempt = f", attempt {number}" if number > 1 else ""
        yield f"  {visible(nodeid)}{attempt}{on_host(host)}"
        yield from wrap(visible(sentence), WIDTH, initial_indent="      ", subsequent_indent="      ")
    if (more := sum(test["outcome"] in BAD for test in tests) - len(found)) > 0:
        yield f"  … and {more:,} more in {TESTS}"


def _heaviest(tests: Sequence[Row]) -> Iterator[str]:
    """Yield the tests with the most CPU time, and those with the largest memory growth."""
    by_cpu = [row for row, cost in heaviest(tests, cpu_s) if cost >= WORTH_TELLING_S]
    by_memory = [row for row, growth in heaviest(tests, growth_MB) if growth >= WORTH_TELLING_MB]
    heavy = [*by_cpu, *(row for row in by_memory if row not in by_cpu)]
    if heavy:
        yield "heaviest tests (CPU, memory growth)"
    for row in heavy:
        memory = f"{growth_MB(row):+8.1f} MiB" if row["memory_growth_MB"] else " " * 12
        yield f"{cpu_s(row):8.2f} s {memory}  {row['nodeid']}"


def _kept_memory(kept: Iterable[tuple[str, float | None]]) -> Iterator[str]:
    """Yield a line with the tests that kept memory; none if there are none."""
    found = leaks(kept)
    if found:
        more = f" and {len(found) - MOST_LEAKS} more" if len(found) > MOST_LEAKS else ""
        yield f"kept memory: {', '.join(f'{test} {format_change(size)}' for test, size in found[:MOST_LEAKS])}{more}"


def _number(cell: str) -> float | None:
    return float(cell) if cell else None


def _load_lines(found: Sequence[LoadLine]) -> Iterator[str]:
    """Yield a table of the loads, grouped by request, with their problems."""
    kind = max([8, *(len(line.type) + 1 for line in found)])
    asked = max([12, *(len(line.target) + 1 for line in found)])
    if found:
        yield f"{'load':<{kind}}{'requested':<{asked}}{'times':>5}{'held':>10}  achieved"
    for line in found[:MOST_LOADS]:
        answers = ", ".join(line.achieved[:MOST_ANSWERS]) + (" …" if len(line.achieved) > MOST_ANSWERS else "")
        figures = f"{line.target:<{asked}}{line.times:>5}{line.held_s:>8.1f} s  {answers}"
        yield f"{line.type:<{kind}}{figures}{on_host(line.host)}"
        yield from (f"        {trouble}" for trouble in line.troubles[:MOST_ANSWERS])
    if len(found) > MOST_LOADS:
        yield f"… and {len(found) - MOST_LOADS} more in {ANNOTATIONS}"


def profile_lines(rows: Sequence[Row]) -> Iterator[str]:
    """Yield a line for each resource of each test from the rows of profile.csv, the largest slowdown first."""
    if not rows:
        return
    levels = "".join(f"{level:>7}%" for level in LEVELS[LOADS[0]])
    yield f"{'slowdown by load':<16}{levels}    knee   (?: too few repetitions; the column 0% shows noise)"
    if any(row["resource"] == QUOTA for row in rows):
        levels = "".join(f"{level:>7}%" for level in LEVELS[QUOTA])
        yield f"{'by CPU quota':<16}{levels}    knee   (the share of the CPUs that is left)"
    for nodeid, curves in rank_resources(rows):
        yield nodeid
        for curve in curves:
            slowdowns = "".join(f"{_slowdown(row):>8}" for row in curve.points)
            knee = curve.knee.replace(" ", "") or "none"
            yield f"  {curve.rank or '-'} {curve.resource:<12}{slowdowns}{knee:>8}"
        failures = failures_by_curve(curves)
        yield from (f"    fails {', '.join(map(format_failures, each))}".replace(" %", "%") for each in failures)
        if failures:
            yield f"    the first failure: {first_error(curves)}"


def _slowdown(row: Row) -> str:
    if not row["slowdown"]:
        return "?"
    return f"{float(row['slowdown']):.2f}{'' if row['slowdown_low'] else '?'}"
