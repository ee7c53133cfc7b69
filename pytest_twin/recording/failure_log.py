"""Write failures.jsonl, a line for each failed attempt, at once: a run that is killed keeps those before."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_twin._system.append_file import AppendOnlyFile
from pytest_twin.run_folder.layout import FAILURES

if TYPE_CHECKING:
    from pytest_twin.model.attempt_failure import AttemptFailure
    from pytest_twin.run_folder.folder import RunFolder

MOST_WITH_TEXT, MOST = 1000, 20_000  # failures with their tracebacks; failures at all


class FailureLog:
    """Appends failures to the file of a run, up to a bounded size."""

    def __init__(self, folder: RunFolder) -> None:
        self._folder = folder
        self._count = 0

    def write(self, failure: AttemptFailure) -> None:
        """Write a failure; of very many, only the first have a traceback.

        Raises:
            OSError: The file cannot be written.
        """
        self._count += 1
        if self._count > MOST:
            return
        if self._count > MOST_WITH_TEXT:
            failure = failure._replace(traceback="", output="")
        file = AppendOnlyFile(str(self._folder / FAILURES), "")
        try:
            file.append(failure.line)
        finally:
            file.close()
