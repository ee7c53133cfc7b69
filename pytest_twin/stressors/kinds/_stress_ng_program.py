"""The installed stress-ng: its path and its stressors."""

from __future__ import annotations

import shutil
import subprocess
from functools import cache

NAME = "stress-ng"


@cache
def stressors() -> frozenset[str]:
    """Return the stressors of the installed program.

    Raises:
        OSError: It is not installed, or cannot be run.
    """
    path = program()
    try:
        done = subprocess.run([path, "--stressors"], capture_output=True, text=True, timeout=30, check=False)
    except subprocess.TimeoutExpired:
        raise OSError(f"{path} --stressors did not finish within 30 s") from None
    return frozenset(done.stdout.split())


def program() -> str:
    """Return the path of the program.

    Raises:
        OSError: It is not installed.
    """
    found = shutil.which(NAME)
    if found is None:
        raise OSError(f"{NAME} is not installed; install it (apt install {NAME}), or remove engine")
    return found
