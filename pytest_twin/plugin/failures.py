"""What pytest reports of a failed test, kept for the reports on the run."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from _pytest._code.code import ExceptionRepr

from pytest_twin._system.stdlib import os
from pytest_twin.model.attempt_failure import LONGEST_MESSAGE, AttemptFailure
from pytest_twin.model.shell_word import shell_word
from pytest_twin.plugin.marks import has_workers, strip_group
from pytest_twin.plugin.repeat import error_line
from pytest_twin.recording.failure_log import FailureLog
from pytest_twin.settings.options import constraint_text, flag

if TYPE_CHECKING:
    from pytest_twin.plugin.session import RecordedSession
    from pytest_twin.recording.attempt import RecordedAttempt

FAILURE = "twin_failure"  # attribute of a report, which pytest-xdist hands to the controller


def describe_failure(
    item: pytest.Item, call: pytest.CallInfo[None], report: pytest.TestReport, attempt: RecordedAttempt, host: str
) -> None:
    """Add to a report which attempt it is of, and the short traceback: only this process has the exception."""
    traceback = report.longreprtext
    if call.excinfo is not None and isinstance(report.longrepr, ExceptionRepr):
        traceback = str(pytest.Item.repr_failure(item, call.excinfo, style="short"))
    setattr(
        report, FAILURE, {"nodeid": attempt.nodeid, "attempt": attempt.number, "host": host, "traceback": traceback}
    )


class FailureKeeper:
    """Writes the failures that pytest reports, in the process that writes the files of the run."""

    def __init__(self, run: RecordedSession) -> None:
        self._run = run
        self._log = FailureLog(run.folder)

    def keep(self, report: pytest.TestReport) -> None:
        """Write a failure.

        Raises:
            OSError: It cannot be written.
        """
        if self._run.recording is None or self._run.recording.is_forked:
            return
        known: dict[str, Any] = {"nodeid": strip_group(report.nodeid), **getattr(report, FAILURE, {})}
        node = getattr(report, "node", None)  # of a worker that died, there is nothing else to tell by
        self._log.write(
            AttemptFailure(
                **{"traceback": report.longreprtext, **known},
                worker=getattr(report, "worker_id", node.gateway.id if node is not None else ""),
                phase=report.when if report.when in {"setup", "call", "teardown"} else "",
                message=error_line(report, LONGEST_MESSAGE),
                output="\n".join(f"--- {name} ---\n{content}" for name, content in report.sections),
                command=self._command(known["nodeid"]),
                stress=_text(self._run.settings.stress),
                constrain=_text(self._run.settings.constrain),
            )
        )

    def _command(self, nodeid: str) -> str:
        """Return the command that runs a test again, without the loads and the constraints of the session."""
        config, settings = self._run.config, self._run.settings
        path, sign, name = nodeid.partition("::")
        if config.rootpath != config.invocation_params.dir:
            path = os.path.relpath(config.rootpath / path, config.invocation_params.dir)
        words = ["pytest", shell_word(f"{path}{sign}{name}", always=True)]
        words += ["-n 0"] if has_workers(config) else []
        words.append(flag("enabled"))
        if (repeat := settings.repeat) is not None:
            words.append(f"{flag('repeat')} {'until-fail' if repeat.until_fail else repeat.most}")
        if self._run.for_each_test is not None and settings.like is None:
            words.append(f"{flag('schedule')} {shell_word(str(settings.schedule))}")
            speed = settings.schedule_speed
            words += [f"{flag('schedule_speed')} {speed:g}"] if speed != 1 else []
        if settings.like is not None:
            words.append(f"{flag('like')} {shell_word(str(settings.like))} {flag('like_scale')} {settings.like_scale}")
        return " ".join(words)


def _text(amounts: Any) -> str:
    return constraint_text(amounts) if amounts else ""
