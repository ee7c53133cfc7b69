"""The start of a program that exports a run (`_detached_process`), and its messages."""

from __future__ import annotations

import json
import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

PID = "pid"  # in a message: the process id


def leave_parent() -> None:
    """Go on as a process that is no child of the one that runs the tests: it is not part of their process tree."""
    if hasattr(os, "fork") and os.fork():
        os._exit(0)


def say(message: Mapping[str, Any]) -> None:
    """Write a message to the process that has started this one."""
    try:
        sys.stdout.write(json.dumps(message) + "\n")
        sys.stdout.flush()
    except OSError:  # nobody listens any more
        pass
