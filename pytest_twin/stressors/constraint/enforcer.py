"""Enforce a constraint on the processes of the tests, as a worker of the supervisor.

The options of its request: ``cpu`` (CPUs' worth of time), ``period`` (seconds), ``cpus`` (a number of CPUs), ``mem``
(bytes), ``io`` (bytes a second), ``pid`` (the process of the tests, which is constrained with all of its children),
``outside`` (processes that are not constrained, with their children), ``parent`` (the parent of ``pid``, if it is known
not to take a stop for a Ctrl-Z), ``no_child`` (why pytest cannot go on in a child, for whose stops nobody waits),
``backend`` (empty for the first that works) and ``reuse`` (whether its worker waits at the end, without limits, for the
next request with the same options: the processes of the tests stay in their control group until then).

The constraint is enforced from outside. Nothing runs in the processes of the tests, and nothing of it is left in them
at the end: the enforcer undoes what it has changed, or its guardian does if it dies (`journal`).
"""

from __future__ import annotations

import os
import sys

from pytest_twin.stressors.constraint import KEYWORD, TYPE
from pytest_twin.stressors.spec.kind import MAX, Kind

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pytest_twin.stressors.worker.job import Job

NO_LINUX = "constraints need Linux; use loads, such as --twin-stress cpu=8, on this platform"

KIND = Kind(
    keyword=KEYWORD,
    type=TYPE,
    module=__name__,
    units=(MAX,),
    bare=None,
    amounts="cpu=0.5 cpus=1 mem=512MiB",
    modifiers=(),
    measure="tests_cpu_s",
)

KILL_AFTER_S = 3.0  # a machine may be very busy, and nobody undoes what it changed if its guardian has died too


def workers(job: Job) -> int:  # noqa: ARG001
    """Return the number of worker processes: one enforces the whole constraint.

    The supervisor calls this, so the modules that a worker needs are imported here, once for all workers.
    """
    if sys.platform == "linux":
        from pytest_twin.stressors.constraint import enforcement  # noqa: F401

    return 1


def stress(job: Job) -> None:
    """Enforce the constraint until the worker is stopped.

    Raises:
        OSError: The guardian has ended, or the kernel does not accept a limit any more.
        ValueError: The constraint cannot be enforced here; the text names each backend that was tried, and why not.
    """
    if sys.platform != "linux":
        raise ValueError(NO_LINUX)
    from pytest_twin.stressors.constraint import enforcement

    enforcement.enforce(job)


def find_backends() -> dict[str, dict[str, str]]:
    """Return for each resource the backends, and for each of them why it does not work here; empty if it works.

    Stop signals do not work for this process itself if it is a job of a shell (`is_job_of_shell`).

    Raises:
        OSError: The system has no more processes.
    """
    if sys.platform != "linux":
        return {resource: {"": NO_LINUX} for resource in ("cpu", "cpus", "mem", "io")}
    from pytest_twin.stressors.constraint import backends

    return backends.find_backends()


def is_job_of_shell() -> bool:
    """Return whether a shell with job control has started this process, and would take stops of it for a Ctrl-Z."""
    if sys.platform == "linux":
        from pytest_twin.stressors.constraint.stop_signals import check_job_control

        try:
            check_job_control(os.getpid())
        except (OSError, ValueError):
            return True
    return False
