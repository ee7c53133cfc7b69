"""The formats of reports, and writing them to files."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from pytest_twin._system.private_files import write_atomic
from pytest_twin.model.attempt_failure import AttemptFailure, AttemptKey, parse_failures
from pytest_twin.report.explanations import explain_failures
from pytest_twin.run_folder.folder import RunFolder
from pytest_twin.run_folder.layout import (
    ANNOTATIONS,
    DATASET,
    FAILURES,
    FINGERPRINT,
    FLAKY,
    FLAKY_FAILURES,
    PROFILE,
    SCHEDULE,
    TESTS,
)

if TYPE_CHECKING:
    from pytest_twin.analysis.comparison.comparison import Comparison
    from pytest_twin.analysis.run.run_summary import RunSummary
    from pytest_twin.model.run import Run


class ReportError(Exception):
    """A report cannot be written; the message is for the user."""


class Format(NamedTuple):
    """A format of reports.

    Attributes:
        file: The name of its file.
        beginning: The beginning of its text, by which a file of ours is recognized.
        render: Returns its text.
        needs: Optional modules that it needs.
    """

    file: str
    beginning: str
    render: Callable[[RunSummary], str]
    needs: tuple[str, ...] = ()


def _html(summary: RunSummary) -> str:
    from pytest_twin.report.html.page import page

    return page(summary)


def _markdown(summary: RunSummary) -> str:
    from pytest_twin.report.markdown import page

    return page(summary)


def _json(summary: RunSummary) -> str:
    from pytest_twin.report.json_document import text

    return text(summary)


NEEDED_FOR_HTML = ("plotly", "tsdownsample", "markupsafe")
FORMATS: Mapping[str, Format] = {
    "html": Format("report.html", "<!doctype html>\n<!-- pytest-twin report -->\n", _html, NEEDED_FOR_HTML),
    "md": Format("summary.md", "## pytest-twin: ", _markdown),
    "json": Format("run.json", '{\n "version": 1,\n "pytest_twin": ', _json),
}


def check_requirements(names: Iterable[str]) -> None:
    """Check that the modules that these formats need are installed.

    Raises:
        ReportError: A module is missing; the message says how to install it.
    """
    for name in names:
        if missing := [module for module in FORMATS[name].needs if find_spec(module) is None]:
            raise ReportError(f"{name} needs {' and '.join(missing)}; pip install 'pytest-twin[report]'")


def summary_of(path: Path, comparison: Comparison | None = None, read: Callable[[], Run] | None = None) -> RunSummary:
    """Read a run and summarize it for a report.

    Args:
        path: The run.
        comparison: The comparison of the run with others.
        read: Reads the run; None reads the files at `path`.

    Raises:
        ReportError: Nothing can be read.
    """
    from pytest_twin.analysis.run.run_summary import summarize
    from pytest_twin.run_folder.csv_frames import ReadingError
    from pytest_twin.run_folder.frames import load

    try:
        run = load(path) if read is None else read()
    except ReadingError as error:
        raise ReportError(str(error)) from None
    with_schedule = [SCHEDULE] if (path / SCHEDULE).exists() else []
    summary = summarize(run, (DATASET, ANNOTATIONS, TESTS), [FINGERPRINT, *with_schedule])
    return replace(
        summary, profile=_rows(path, PROFILE), flaky=_rows(path, FLAKY), flaky_failures=_flaky_failures(path),
        failures=_failures(path), explanations=_explanations(path),
        comparison=comparison,
    )  # fmt: skip


def _rows(path: Path, name: str) -> list[dict[str, str]]:
    """Return the rows of a table of a run; none where there is no such file, or none that can be read."""
    try:
        return RunFolder(path).rows(name)
    except (OSError, ValueError):
        return []


def _explanations(path: Path) -> Mapping[AttemptKey, str]:
    """Return what stood out while each failed test ran; nothing where the tests cannot be read."""
    try:
        return explain_failures(RunFolder(path))
    except (OSError, ValueError):
        return {}


def _failures(path: Path) -> dict[AttemptKey, list[AttemptFailure]]:
    """Return what pytest reported of each attempt that failed; an attempt may have failed in several phases."""
    found: dict[AttemptKey, list[AttemptFailure]] = {}
    with suppress(OSError):
        for failure in parse_failures(RunFolder(path).text(FAILURES)):
            found.setdefault(failure.which, []).append(failure)
    return found


def _flaky_failures(path: Path) -> dict[str, dict[str, str]]:
    """Return the first failures of the search for resource-affected tests; none where they cannot be read."""
    try:
        document = json.loads(RunFolder(path).text(FLAKY_FAILURES) or "{}")
    except (OSError, ValueError):
        return {}
    tests = document.items() if isinstance(document, dict) else ()
    return {
        test: {condition: text for condition, text in of_test.items() if isinstance(text, str)}
        for test, of_test in tests
        if isinstance(of_test, dict)
    }


def write_report(summary: RunSummary, name: str, path: Path) -> None:
    """Write a report.

    Raises:
        ReportError: The file cannot be written, or exists and is not a report.
    """
    refuse_to_replace(path, FORMATS[name].beginning)
    text = FORMATS[name].render(summary)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomic(path, text)
    except OSError as error:
        raise ReportError(f"{path}: {error.strerror or error}") from None


def refuse_to_replace(path: Path, beginning: str | bytes, is_own: Callable[[Path], bool] = lambda _: True) -> None:
    """Refuse to replace a file that we did not write, unless it is empty.

    Args:
        path: The file to write.
        beginning: The beginning of our files of this kind.
        is_own: Tells whether a file with this beginning is ours.

    Raises:
        ReportError: The file exists and is not ours.
    """
    if not path.is_file():
        return
    expected = beginning.encode() if isinstance(beginning, str) else beginning
    try:
        with path.open("rb") as file:
            found = file.read(len(expected))
    except OSError:  # writing will tell
        return
    if found and (found != expected or not is_own(path)):
        raise ReportError(f"{path} exists and was not written by pytest-twin; remove it or choose another file")
