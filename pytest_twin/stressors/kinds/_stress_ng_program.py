"""The installed stress-ng: where it is, and which stressors it has."""

from __future__ import annotations

import shutil
import subprocess
from functools import cache

NAME = "stress-ng"


@cache
def stressors() -> frozenset[str]:
    """The stressors that the installed program has.

    Raises:
        OSError: It is not installed, or cannot be run.
    """
    path = program()
    try:
        said = subprocess.run([path, "--stressors"], capture_output=True, text=True, timeout=30, check=False)
    except subprocess.TimeoutExpired:
        raise OSError(f"{path} does not say what stressors it has") from None
    return frozenset(said.stdout.split())


def program() -> str:
    """Where it is.

    Raises:
        OSError: It is not installed.
    """
    found = shutil.which(NAME)
    if found is None:
        raise OSError(f"{NAME} is not installed; install it (apt install {NAME}), or leave out engine")
    return found
