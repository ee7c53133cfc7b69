"""Write the reports of a pytest session when it is over."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_twin.report.formats import (
    FORMATS,
    ReportError,
    check_requirements,
    refuse_to_replace,
    summary_of,
    write_report,
)
from pytest_twin.report.wording import relative_path

if TYPE_CHECKING:
    from pytest_twin.analysis.comparison.comparison import Comparison
    from pytest_twin.analysis.run.run_summary import RunSummary
    from pytest_twin.model.run import Run
    from pytest_twin.settings.options import Settings

STEP_SUMMARY = "GITHUB_STEP_SUMMARY"


def check_reports(settings: Settings, base_dir: Path) -> None:
    """Check before the tests that the requested reports can be written after them.

    Args:
        settings: The options of the session.
        base_dir: The directory that paths are relative to.

    Raises:
        ReportError: A module is missing, or a file is in the way that is not ours.
    """
    check_requirements(request.format for request in settings.report)
    for name, path in _wanted(base_dir / settings.report_dir, settings, base_dir):
        refuse_to_replace(path, FORMATS[name].beginning)


def _wanted(folder: Path, settings: Settings, base_dir: Path) -> list[tuple[str, Path]]:
    """Return each requested format with its file."""
    files = ((name, folder / FORMATS[name].file if path is None else base_dir / path) for name, path in settings.report)
    return list(dict.fromkeys(files))


def write_reports(
    folder: Path,
    settings: Settings,
    base_dir: Path,
    environment: Mapping[str, str],
    comparison: Comparison | None = None,
    read: Callable[[], Run] | None = None,
) -> Iterator[str]:
    """Write the requested reports; yield a line for each, with its path or the reason why it is missing.

    Args:
        folder: The run.
        settings: The options of the session.
        base_dir: The directory that paths are relative to.
        environment: The environment variables, with the path of GitHub's job summary.
        comparison: The comparison of the run with others.
        read: Reads the run; None reads the files in `folder`.
    """
    wanted = _wanted(folder, settings, base_dir)
    if not wanted:
        return
    try:
        summary = summary_of(folder, comparison, read)
    except ReportError as error:
        yield f"warning: no report: {error}"
        return
    for name, path in wanted:
        try:
            write_report(summary, name, path)
        except ReportError as error:
            yield f"warning: no report: {error}"
            continue
        yield f"report: {relative_path(path, base_dir)}"
    if any(name == "md" for name, _ in wanted) and environment.get(STEP_SUMMARY):
        yield from _add_to_step(summary, Path(environment[STEP_SUMMARY]))


def _add_to_step(summary: RunSummary, path: Path) -> Iterator[str]:
    """Append the summary to the job summary of GitHub."""
    try:
        with open(path, "a", encoding="utf-8") as file:
            file.write(FORMATS["md"].render(summary) + "\n")
    except OSError as error:
        yield f"warning: {STEP_SUMMARY}: {path}: {error.strerror or error}"
