"""Run commands as an ordinary user, who may make no control groups, where the tests run as root."""

from __future__ import annotations

import os
import shutil

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
    unmeasured = [
        "env",
        "-u",
        "COVERAGE_PROCESS_START",
        "-u",
        "COVERAGE_PROCESS_CONFIG",
    ]  # it may not write the figures
    return [*unmeasured, "setpriv", *who, "--inh-caps=+dac_read_search", "--ambient-caps=+dac_read_search", *words]
