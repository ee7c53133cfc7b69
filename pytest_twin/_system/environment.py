"""The surroundings of the processes that we start: those of the run, whatever a test has made of this process's."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, Self

from pytest_twin._system.stdlib import os, sys

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

TESTS_OWN = "PYTEST_CURRENT_TEST"  # pytest puts the test's id there, which may be longer than execve(2) takes


class ProcessContext(NamedTuple):
    """What a process inherits from the one that starts it.

    Attributes:
        variables: The environment, without the id of the test that is running.
        path: `sys.path`.
        directory: The working directory, None where it was removed.
        umask: Which permissions new files do not get.
        niceness: The priority of processes; None where the system has none.
        cpus: On which CPUs it runs; None where the system does not tell.
        limits: The soft and hard resource limits, by their number.
    """

    variables: Mapping[str, str]
    path: tuple[str, ...]
    directory: str | None
    umask: int
    niceness: int | None
    cpus: frozenset[int] | None
    limits: Mapping[int, tuple[int, int]]

    @classmethod
    def now(cls) -> Self:
        """Those of this process."""
        variables = {name: value for name, value in os.environ.items() if name != TESTS_OWN}
        mask = os.umask(0o077)
        os.umask(mask)
        try:
            directory = os.getcwd()
        except OSError:
            directory = None
        return cls(variables, tuple(sys.path), directory, mask, *_inherited())


if sys.platform == "linux":
    from pytest_twin._system.stdlib import resource

    LIMITS = sorted({value for name, value in vars(resource).items() if name.startswith("RLIMIT_")})

    def _inherited() -> tuple[int | None, frozenset[int] | None, Mapping[int, tuple[int, int]]]:
        limits = {limit: resource.getrlimit(limit) for limit in LIMITS}
        return os.getpriority(os.PRIO_PROCESS, 0), frozenset(os.sched_getaffinity(0)), limits

    def restore_context(surroundings: ProcessContext, pid: int) -> None:
        """Give a process that was started just now what it has not inherited of these, as far as that is allowed."""
        niceness, cpus, limits = _inherited()
        if surroundings.cpus is not None and cpus != surroundings.cpus:
            _attempt(os.sched_setaffinity, pid, surroundings.cpus)
        for limit, (soft, hard) in surroundings.limits.items():
            if limits[limit] != (soft, hard):
                now = limits[limit][1]  # one that was lowered stays so, without privileges
                least = min(soft, now) if min(soft, now) >= 0 else max(soft, now)  # below 0 is no limit
                if not _attempt(resource.prlimit, pid, limit, (soft, hard)):
                    _attempt(resource.prlimit, pid, limit, (least, now))
        if surroundings.niceness is not None and niceness != surroundings.niceness:
            _attempt(os.setpriority, os.PRIO_PROCESS, pid, surroundings.niceness)

    def _attempt(change: Callable[..., object], *values: object) -> bool:
        try:
            change(*values)
        except (OSError, ValueError):  # it is not allowed, or the process has ended
            return False
        return True

else:

    def _inherited() -> tuple[int | None, frozenset[int] | None, Mapping[int, tuple[int, int]]]:
        return None, None, {}

    def restore_context(surroundings: ProcessContext, pid: int) -> None:
        """Give a process that was started just now what it has not inherited of these: nothing that is known here."""
