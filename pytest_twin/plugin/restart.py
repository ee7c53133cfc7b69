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
from pytest_twin.stressors.constraint import KEYWORD
from pytest_twin.stressors.constraint.enforcer import find_backends, is_job_of_shell

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
    is_job = not (has_workers or settings.flaky or settings.profile) and is_job_of_shell()
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


def needs_child() -> bool:
    """Return whether this process is the job of a shell, and has no control group for CPU time."""
    return not _is_within_test() and is_job_of_shell() and not _has_control_group(["cpu"])


def go_on_in_child() -> str:
    """Return in a child; this process waits for its end, and ends in the same way.

    Returns:
        Why this process goes on itself: it has threads, which would be missing in the child, or children, for which the
        child could not wait. Empty in the child.
    """
    if sys.platform == "linux":
        from pytest_twin._system.foreground_child import HANDLED, end_as, wait_for
        from pytest_twin.stressors.constraint.process_tree import children
        from pytest_twin.stressors.system.prctl import die_with_parent

        if threading.active_count() > 1:
            return f"it has a thread of {_thread_owner()}"
        if children(os.getpid()):
            return "it has children"
        mask = signal.pthread_sigmask(signal.SIG_BLOCK, HANDLED)
        parent = os.getpid()
        pid = os.fork()
        if pid:
            end_as(wait_for(pid)[0])
        if not die_with_parent(parent):
            os.kill(os.getpid(), signal.SIGKILL)
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
    return ""


def _thread_owner() -> str:
    """Return the module that runs in another thread than this one: ``pytest_rerunfailures``."""
    frames = sys._current_frames()  # noqa: SLF001 - documented, "for internal and specialized purposes"
    for thread in threading.enumerate():
        frame, owner = frames.get(thread.ident or 0), ""
        while frame is not None and thread is not threading.current_thread():
            name = str(frame.f_globals.get("__name__"))
            owner, frame = name if name != "threading" else owner, frame.f_back
        if owner:
            return owner.partition(".")[0]
    return "another module"


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
        return ("cpu",) if settings.schedule is not None and _may_constrain(settings.schedule) else ()
    from pytest_twin.loads.constraint import ConstraintError
    from pytest_twin.loads.validation import read_constraint

    try:
        part = read_constraint(settings.constrain).parts[0]
    except ConstraintError:  # reported when the session is configured
        return ()
    return [each for each in ("cpu", "mem", "io") if part.options.get(each)]


def _may_constrain(schedule: Path) -> bool:
    """Return whether a schedule may have constraints; it is read as a whole when the session is configured."""
    try:
        return KEYWORD.encode() in schedule.read_bytes()
    except OSError:  # reported when the session is configured
        return False


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
        from pytest_twin.stressors.constraint.backends import CONTROL_GROUP

        found = find_backends()
        return not any(found[each][CONTROL_GROUP] for each in resources)
    return False
