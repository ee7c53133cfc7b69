"""The name of the supervisor and its workers in process lists, so that a monitor can tell them from the tests."""

from __future__ import annotations

import sys

PROCESS_NAME = "twin-stressors"
PR_SET_NAME = 15


def set_process_name() -> None:
    """Rename this process, where that can be done (prctl(2))."""
    if sys.platform == "linux":
        import ctypes

        ctypes.CDLL(None).prctl(PR_SET_NAME, PROCESS_NAME.encode())
