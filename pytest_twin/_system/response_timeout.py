"""A process of ours that is asked, and does not answer: told of first, and given up in the end."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_twin._system.stdlib import os

if TYPE_CHECKING:
    from collections.abc import Callable

STEP_S = 1.0  # between two looks
TELL_AFTER_S = 5.0
GIVE_UP_AFTER_S = 30.0
HURRY_S = 2.0  # instead, where the run was interrupted


class ResponseTimeout:
    """How long nothing was heard of a process while somebody waits for it.

    It is counted in steps, each for as long as it should last: a time in which this process was stopped itself
    (Ctrl-Z) is not the other one's silence.

    Attributes:
        reason: What to say of the process once it is given up.
    """

    def __init__(self, who: str, heard: Callable[[], int], tell: Callable[[str], None]) -> None:
        """Begin.

        Args:
            who: What it is called.
            heard: How often something was heard of it so far.
            tell: Tells the user a line.
        """
        self._who, self._heard, self._tell = who, heard, tell
        self._before, self._lasted_s, self._is_told = heard(), 0.0, False
        self.reason = ""

    def lasts(self, step_s: float, limit_s: float) -> bool:
        """Count a step in which nothing came that is waited for; False once the process is to be given up.

        Args:
            step_s: Seconds that the step was to last.
            limit_s: Seconds of silence after which a process is given up.
        """
        now = self._heard()
        if now != self._before:
            self._before, self._lasted_s = now, 0.0
            return True
        self._lasted_s += step_s
        if self._lasted_s >= limit_s:
            self.reason = f"did not answer for {self._lasted_s:.0f} s"
            return False
        if self._lasted_s >= TELL_AFTER_S and not self._is_told:
            self._is_told = True
            self._tell(
                f"{self._who} has not answered for {self._lasted_s:.0f} s; it will be killed after {limit_s:.0f} s"
            )
        return True


def say_on_stderr(line: str, *, fd: int = 2, begin: str = "") -> None:
    """Tell a line.

    Args:
        line: The text.
        fd: What stderr is.
        begin: What to write in front of it, where something may stand on the line already.
    """
    try:
        os.write(fd, f"{begin}twin: {line}\n".encode("utf-8", "backslashreplace"))
    except OSError:  # it is closed
        pass
