"""Run commands as an ordinary user, who may make no control groups, where the tests run as root."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

NOBODY = 65534


def as_nobody(*command: object) -> list[str]:
    """The command that runs another one as an ordinary user, who may read all files as root may: the interpreter too.

    The test is skipped where that is not possible; where it does not run as root, it is such a user itself.
    """
    words = [*map(str, command)]
    if os.name != "posix" or os.geteuid() != 0:
        return words
    if shutil.which("setpriv") is None:
        pytest.skip("no setpriv: root cannot become another user who can read this environment")
    who = [f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups"]
    # it may not write the figures of the coverage
    unmeasured = ["env", "-u", "COVERAGE_PROCESS_START", "-u", "COVERAGE_PROCESS_CONFIG"]
    return [*unmeasured, "setpriv", *who, "--inh-caps=+dac_read_search", "--ambient-caps=+dac_read_search", *words]


def run_as_nobody(*command: object, timeout: float = 140, **options: Any) -> subprocess.CompletedProcess[str]:
    """Run a command as an ordinary user; what it printed, and how it ended."""
    words = as_nobody(*command)
    return subprocess.run(words, capture_output=True, text=True, check=False, timeout=timeout, **options)


SYSTEMD_RUN = """#!/bin/sh
echo "$@" >> {calls}
while [ "$1" != -- ]; do shift; done
shift
exec "$@"
"""


def replace_systemd_run(path: Path) -> dict[str, str]:
    """Put a program in the place of systemd-run that notes its arguments in ``calls``, and runs the rest.

    Returns:
        The environment in which it is found.
    """
    program, calls = path / "bin" / "systemd-run", path / "calls"
    program.parent.mkdir()
    program.write_text(SYSTEMD_RUN.format(calls=calls), encoding="ascii")
    program.chmod(0o755)
    calls.touch()
    calls.chmod(0o666)
    return {**os.environ, "PATH": f"{program.parent}{os.pathsep}{os.environ['PATH']}"}
