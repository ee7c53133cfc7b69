"""A timeout for the answers of a child process, with a message before it is over."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_twin._system.stdlib import os

if TYPE_CHECKING:
    from collections.abc import Callable

STEP_S = 1.0  # between two checks
WARN_AFTER_S = 5.0
GIVE_UP_AFTER_S = 30.0
HURRY_S = 2.0  # instead, if the run was interrupted


class ResponseTimeout:
    """Measures how long a process has sent no messages while this process waits for one.

    Time is counted in steps of their intended length: a time in which this process was stopped itself (Ctrl-Z) does not
    count.

    Attributes:
        reason: The description of a process that is given up.
    """

    def __init__(self, name: str, count_messages: Callable[[], int], tell: Callable[[str], None]) -> None:
        """Start to measure.

        Args:
            name: The name of the process in messages.
            count_messages: Returns the number of messages so far.
            tell: Prints a line for the user.
        """
        self._name, self._count_messages, self._tell = name, count_messages, tell
        self._count, self._lasted_s, self._has_warned = count_messages(), 0.0, False
        self.reason = ""

    def lasts(self, step_s: float, limit_s: float) -> bool:
        """Count a step without the expected message; return False when the process should be given up.

        Args:
            step_s: The intended length of the step in seconds.
            limit_s: The seconds without any message after which a process is given up.
        """
        count = self._count_messages()
        if count != self._count:
            self._count, self._lasted_s = count, 0.0
            return True
        self._lasted_s += step_s
        if self._lasted_s >= limit_s:
            self.reason = f"did not answer for {self._lasted_s:.0f} s"
            return False
        if self._lasted_s >= WARN_AFTER_S and not self._has_warned:
            self._has_warned = True
            self._tell(
                f"{self._name} has not answered for {self._lasted_s:.0f} s; it will be killed after {limit_s:.0f} s"
            )
        return True


def say_on_stderr(line: str, *, fd: int = 2, begin: str = "") -> None:
    """Print a line for the user on stderr.

    Args:
        line: The text.
        fd: The descriptor of stderr.
        begin: Text before it, such as a newline if the present line may not be empty.
    """
    try:
        os.write(fd, f"{begin}twin: {line}\n".encode("utf-8", "backslashreplace"))
    except OSError:  # it is closed
        pass
