"""Any stressor of stress-ng, if that is installed, as a number of instances under this package's supervisor.

This is not a kind of its own: a load has ``engine="stress-ng"`` and names stressors, each of which becomes one load.
"""

from __future__ import annotations

import sys

from pytest_twin.stressors.kinds._stress_ng_program import NAME
from pytest_twin.stressors.spec.kind import COUNT, Kind
from pytest_twin.stressors.worker.job import Job

MODULE = "pytest_twin.stressors.kinds.stress_ng"


def kind(stressor: str) -> Kind:
    """Return a stressor of stress-ng as a kind of load."""
    return Kind(
        keyword=stressor,
        type=f"{NAME} {stressor}",
        module=MODULE,
        units=(COUNT,),
        bare=(COUNT, 1),
        amounts="a whole number of instances from 1",
        modifiers=(),
        measure="cpu_s",
    )


def workers(job: Job) -> int:  # noqa: ARG001
    """Return 1: one process runs all instances."""
    return 1


def stress(job: Job) -> None:
    """Run it until stopped.

    Raises:
        OSError: It cannot be started, or has ended by itself; the message has its last output.
    """
    if sys.platform != "linux":
        raise OSError(f"{NAME} is supported on Linux only")
    from pytest_twin.stressors.kinds import _stress_ng_runner

    _stress_ng_runner.run(job)
