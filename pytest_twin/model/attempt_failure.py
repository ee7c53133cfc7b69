"""The failure of an attempt of a test as pytest reported it: a line of failures.jsonl."""

from __future__ import annotations

import json
from typing import Any, NamedTuple

LONGEST_MESSAGE, LONGEST_TRACEBACK, LONGEST_OUTPUT = 300, 20_000, 5_000  # characters
TEXTS = ("nodeid", "worker", "host", "phase", "message", "traceback", "output", "command", "stress", "constrain")
AttemptKey = tuple[str, str, str, int]  # host, test, worker and number of an attempt


class AttemptFailure(NamedTuple):
    """The failure of an attempt, with what the session says of how to run the test again.

    Attributes:
        nodeid: The test.
        attempt: The number of the attempt.
        worker: The pytest-xdist worker, empty without.
        host: Its host; empty for pytest's own.
        phase: ``setup``, ``call`` or ``teardown``.
        message: The first line of the error.
        traceback: The traceback, as pytest prints it with ``--tb=short``.
        output: The end of what pytest captured.
        command: The command that runs the test again, without the loads and the constraints of the session.
        stress: The load of the session around every test, as ``--twin-stress`` has it.
        constrain: The constraint of the session, as ``--twin-constrain`` has it.
    """

    nodeid: str
    attempt: int = 1
    worker: str = ""
    host: str = ""
    phase: str = ""
    message: str = ""
    traceback: str = ""
    output: str = ""
    command: str = ""
    stress: str = ""
    constrain: str = ""

    @property
    def which(self) -> AttemptKey:
        """The attempt: its host, its test, its worker and its number."""
        return self.host, self.nodeid, self.worker, self.attempt

    @property
    def line(self) -> str:
        """It as a line of the file, in ASCII, with texts of bounded length."""
        bounded = self._replace(
            message=self.message[:LONGEST_MESSAGE],
            traceback=_end(self.traceback, LONGEST_TRACEBACK),
            output=_end(self.output, LONGEST_OUTPUT),
        )
        return json.dumps(bounded._asdict()) + "\n"


def parse_failures(text: str) -> list[AttemptFailure]:
    """Return the failures in the text of a file; a line that is damaged is left out."""
    found = (_parse(line) for line in text.splitlines())
    return [failure for failure in found if failure is not None]


def _parse(line: str) -> AttemptFailure | None:
    try:
        fields: Any = json.loads(line)
    except ValueError:
        return None
    if not isinstance(fields, dict) or not isinstance(fields.get("nodeid"), str):
        return None
    attempt = fields.get("attempt")
    texts = {name: value for name in TEXTS if isinstance(value := fields.get(name), str)}
    return AttemptFailure(**texts, attempt=attempt if type(attempt) is int else 1)


def _end(text: str, longest: int) -> str:
    return text if len(text) <= longest else f"…{text[-longest:]}"
