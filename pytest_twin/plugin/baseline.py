"""A run compared with others: from folders to a verdict, for pytest and for the command line."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_twin.report.comparison.build import comparison
from pytest_twin.run_folder.baselines import BaselineError, RunSet, find, save
from pytest_twin.settings.options import SettingsError, flag

if TYPE_CHECKING:
    from pytest_twin.analysis.comparison.comparison import Comparison
    from pytest_twin.model.run import Run
    from pytest_twin.run_folder.folder import RunFolder
    from pytest_twin.run_folder.tables import RunTables
    from pytest_twin.settings.options import Settings

# pandas is imported when all tests are over: what is imported before would be in the memory of each of them.


class BaselineComparison:
    """What a pytest session is saved as, and what it is compared with.

    Attributes:
        lines: What came of it, for the terminal; empty before `finish`.
        comparison: The same for the reports; None where there is nothing to compare with.
        failure: Why the session should fail, a line each; empty if it should not.
    """

    def __init__(self, settings: Settings, base_dir: Path) -> None:
        """Find what to compare with, before anything runs: what is saved by this run is not meant.

        Args:
            settings: The options of the session.
            base_dir: The directory that paths are relative to.

        Raises:
            SettingsError: There is nothing of that name.
        """
        self._settings, self._directory = settings, base_dir / settings.baselines
        self._found: RunSet | None = None
        self.lines: list[str] = []
        self.comparison: Comparison | None = None
        self.failure: list[str] = []
        if settings.compare is not None:
            try:
                self._found = find(settings.compare, self._directory, base_dir)
            except BaselineError as error:
                raise SettingsError(f"{flag('compare')}: {error}") from None
            if base_dir / settings.report_dir in self._found.paths:
                raise SettingsError(
                    f"{flag('compare')}: {settings.compare} is where this run's files go; "
                    f"save runs with {flag('save')} NAME, and compare with NAME"
                )

    def finish(self, folder: RunFolder, tables: RunTables | None, read: Callable[[], Run], *, is_whole: bool) -> None:
        """Save the run and compare it, now that its files are complete.

        Args:
            folder: The run.
            tables: The tables of the run; None where they could not be completed.
            read: Reads the run.
            is_whole: Whether all tests ran, whatever came of them: otherwise it is no run to compare.
        """
        if not is_whole:
            self.lines.append("the run was cut short: it is neither saved nor compared")
            return
        try:
            self._compare(folder, read)
            if self._settings.save is not None:
                place = save(folder, self._directory, self._settings.save, datetime.now(UTC), tables)
                self.lines.append(f"saved as {self._settings.save}/{place.name}")
        except (ValueError, BaselineError) as error:  # there is nothing to compare, or a file cannot be read or written
            self.failure.append(str(error))

    def _compare(self, folder: RunFolder, read: Callable[[], Run]) -> None:
        if self._found is None:
            return
        from pytest_twin.report.comparison.lines import lines
        from pytest_twin.report.comparison.wording import broken_limit_lines

        found = RunSet("this run", [folder.path])
        compared = self.comparison = comparison(self._found, found, self._settings.fail_on, [read()])
        self.lines += lines(compared)
        self.failure += broken_limit_lines(compared)
