"""Save the run of a pytest session, and compare it with a baseline."""

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
    from pytest_twin.settings.options import Settings

# pandas is imported when all tests are over: it would be in the memory of each of them.


class BaselineComparison:
    """Saves the run of a pytest session, and compares it with a baseline.

    Attributes:
        lines: The result for the terminal; empty before `finish`.
        comparison: The result for the reports; None without a baseline.
        failure: The reasons for which the session fails, a line each; empty if it does not.
    """

    def __init__(self, settings: Settings, base_dir: Path) -> None:
        """Find the baseline before anything runs, so that it cannot be this run.

        Args:
            settings: The options of the session.
            base_dir: The directory that paths are relative to.

        Raises:
            SettingsError: There is no baseline of that name.
        """
        self._settings, self._directory = settings, base_dir / settings.baselines
        self._baseline: RunSet | None = None
        self.lines: list[str] = []
        self.comparison: Comparison | None = None
        self.failure: list[str] = []
        if settings.compare is not None:
            try:
                self._baseline = find(settings.compare, self._directory, base_dir)
            except BaselineError as error:
                raise SettingsError(f"{flag('compare')}: {error}") from None
            if base_dir / settings.report_dir in self._baseline.paths:
                raise SettingsError(
                    f"{flag('compare')}: {settings.compare} is the report directory of this run; "
                    f"save a run with {flag('save')} NAME, and compare with NAME"
                )

    def finish(self, folder: RunFolder, read: Callable[[], Run], *, is_whole: bool) -> None:
        """Save the run and compare it, when its files are complete.

        Args:
            folder: The run folder.
            read: Reads the run.
            is_whole: Whether all tests ran, with any outcome; other runs are neither saved nor compared.
        """
        if not is_whole:
            self.lines.append("the run was interrupted; it is neither saved nor compared")
            return
        try:
            self._compare(folder, read)
            if self._settings.save is not None:
                place = save(folder, self._directory, self._settings.save, datetime.now(UTC))
                self.lines.append(f"saved as {self._settings.save}/{place.name}")
        except (ValueError, BaselineError) as error:  # nothing to compare, or a file cannot be read or written
            self.failure.append(str(error))

    def _compare(self, folder: RunFolder, read: Callable[[], Run]) -> None:
        if self._baseline is None:
            return
        from pytest_twin.report.comparison.lines import lines
        from pytest_twin.report.comparison.wording import broken_limit_lines

        this_run = RunSet("this run", [folder.path])
        compared = self.comparison = comparison(self._baseline, this_run, self._settings.fail_on, [read()])
        self.lines += lines(compared)
        self.failure += broken_limit_lines(compared)
