"""Give pytest a process that can be constrained, where the one that was started cannot be.

A user without rights may have no control group to write, and a shell with job control takes a stop of its job for a
Ctrl-Z. So pytest starts again within a scope of systemd, which has control groups of its own; where there is no
systemd, it goes on in a child, and the process that the shell has started waits for that.
"""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_twin._system.procfs import PROC, read_bytes
from pytest_twin._system.stdlib import os, signal, sys, threading

if TYPE_CHECKING:
    from collections.abc import Collection

    from pytest_twin.settings.options import Settings


def start_again_if_needed(settings: Settings, *, has_workers: bool) -> None:
    """Start pytest again where what its options ask for cannot be enforced on this process, or not as well.

    Does nothing where it is enforceable, or where starting again would not help.

    Args:
        settings: The settings of the session.
        has_workers: Whether tests run in pytest-xdist workers, for whose stops the shell does not wait.
    """
    if sys.platform != "linux" or settings.dry_run or _is_within_test():
        return
    resources = _resources(settings)
    is_job = not has_workers and settings.constrain is not None and _is_job_of_shell()
    may_have_scope = _may_start_scope()
    if not resources or not (is_job or may_have_scope):
        return
    if _has_control_group(resources):
        return
    if may_have_scope:
        from pytest_twin._system.systemd_scope import restart_in_scope, why_no_scope

        if not why_no_scope():
            restart_in_scope()
    if is_job:
        go_on_in_child()


def go_on_in_child_if_needed() -> None:
    """Go on in a child where this process is the job of a shell, and has no control group."""
    if not _is_within_test() and _is_job_of_shell() and not _has_control_group(["cpu"]):
        go_on_in_child()


def go_on_in_child() -> None:
    """Return in a child; this process waits for its end, and ends in the same way.

    Does nothing in a process with threads, which would be missing in the child, or with children, for which the child
    could not wait.
    """
    if sys.platform == "linux":
        from pytest_twin._system.foreground_child import HANDLED, end_as, wait_for
        from pytest_twin.stressors.constraint.process_tree import children
        from pytest_twin.stressors.system.prctl import die_with_parent

        if threading.active_count() > 1 or children(os.getpid()):
            return
        mask = signal.pthread_sigmask(signal.SIG_BLOCK, HANDLED)
        parent = os.getpid()
        pid = os.fork()
        if pid:
            end_as(wait_for(pid)[0])
        if not die_with_parent(parent):
            os.kill(os.getpid(), signal.SIGKILL)
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)


def _is_within_test() -> bool:
    """Return whether a test has called pytest in its own process."""
    name = "PYTEST_CURRENT_TEST"
    present = os.environ.get(name)
    return present is not None and f"{name}={present}".encode() not in read_bytes(f"{PROC}/self/environ").split(b"\0")


def _resources(settings: Settings) -> Collection[str]:
    """Return the resources that the options take away."""
    if settings.flaky or settings.profile:
        return ("cpu", "mem") if settings.flaky else ("cpu",)
    if settings.constrain is None:
        return ()
    from pytest_twin.loads.constraint import ConstraintError
    from pytest_twin.loads.validation import read_constraint

    try:
        part = read_constraint(settings.constrain).parts[0]
    except ConstraintError:  # reported when the session is configured
        return ()
    return [each for each in ("cpu", "mem", "io") if part.options.get(each)]


def _may_start_scope() -> bool:
    from pytest_twin._system.systemd_scope import SYSTEMD_RUN, is_in_scope

    return shutil.which(SYSTEMD_RUN) is not None and not is_in_scope() and _is_main_program()


def _is_main_program() -> bool:
    """Return whether pytest was started as a program; one that calls `pytest.main` must not start again as a whole."""
    program = Path(sys.argv[0])
    return program.stem in {"pytest", "py.test"} or program.parent.name == "pytest"


def _has_control_group(resources: Collection[str]) -> bool:
    """Return whether a control group of our own can take each of these resources away from this process."""
    if sys.platform == "linux":
        from pytest_twin.stressors.constraint.backends import CONTROL_GROUP, find_backends

        found = find_backends(os.getpid())
        return not any(found[each][CONTROL_GROUP] for each in resources)
    return False


def _is_job_of_shell() -> bool:
    """Return whether a shell with job control has started this process."""
    if sys.platform == "linux":
        from pytest_twin.stressors.constraint.stop_signals import check_job_control

        try:
            check_job_control(os.getpid())
        except (OSError, ValueError):
            return True
    return False
