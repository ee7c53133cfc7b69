"""Start this program again within a scope of systemd, where it may have control groups of its own (Linux)."""

from __future__ import annotations

from typing import NoReturn

from pytest_twin._system.stdlib import os, subprocess, sys

IN_SCOPE = "PYTEST_TWIN_SCOPE"  # in the environment of a start within a scope, so that it is the last one
SYSTEMD_RUN = "systemd-run"
SCOPE = (SYSTEMD_RUN, "--user", "--scope", "--quiet", "-p", "Delegate=yes", "--")
TIMEOUT_S = 10.0


def is_in_scope() -> bool:
    """Return whether this program was started again within a scope."""
    return IN_SCOPE in os.environ


def why_no_scope() -> str:
    """Return why systemd does not start programs of this user within scopes; empty if it does."""
    try:
        done = subprocess.run([*SCOPE, "true"], capture_output=True, text=True, timeout=TIMEOUT_S, check=False)
    except OSError as error:
        return error.strerror or str(error)
    except subprocess.TimeoutExpired:
        return f"it did not answer within {TIMEOUT_S:g} s"
    return "" if done.returncode == 0 else (done.stderr.strip().splitlines() or [f"exit status {done.returncode}"])[-1]


def restart_in_scope() -> NoReturn:
    """Become the same command line within a scope.

    Raises:
        OSError: There is no systemd-run.
    """
    program = [sys.executable, *sys.orig_argv[1:]]
    os.execvpe(SYSTEMD_RUN, [*SCOPE, *program], {**os.environ, IN_SCOPE: "1"})
