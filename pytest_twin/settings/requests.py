"""Values of options that have several parts; few sessions have such options, so `parsers` imports this late."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from pathlib import Path


class RepeatRequest(NamedTuple):
    """How often to run each test.

    Attributes:
        most: The number of runs.
        until_fail: Whether the first failure ends them.
    """

    most: int
    until_fail: bool = False

    def __str__(self) -> str:
        return f"until it fails, at most {self.most} times" if self.until_fail else f"{self.most} times"


class ReportRequest(NamedTuple):
    """A report to write.

    Attributes:
        format: One of `parsers.REPORT_FORMATS`.
        path: Its file; None is the default one in the run folder.
    """

    format: str
    path: Path | None = None
