"""An exporter: the tests of a run in the Test Anything Protocol, for ``pytest-twin export --format tap``."""

from __future__ import annotations

from collections.abc import Iterator

from pytest_twin import Run

FILE = "tests.tap"
BEGINNING = "TAP version 14\n"
OK = ("passed", "skipped", "xfailed", "xpassed")


def lines(run: Run) -> Iterator[str]:
    """Yield a line for each attempt of a test."""
    yield BEGINNING
    yield f"1..{len(run.tests)}\n"
    for number, test in enumerate(run.tests.itertuples(), 1):
        result = "ok" if test.outcome in OK else "not ok"
        yield f"{result} {number} - {test.nodeid} # time={test.duration_s:.3f}s\n"
