"""Any stressor of stress-ng, where that is installed: so many instances of one, under our supervisor.

It is no kind of its own: a load says ``engine="stress-ng"`` and names its stressors, each of which is one load here.
"""

from __future__ import annotations

import sys

from pytest_twin.stressors.kinds._stress_ng_program import NAME
from pytest_twin.stressors.spec.kind import COUNT, Kind
from pytest_twin.stressors.worker.job import Job

MODULE = "pytest_twin.stressors.kinds.stress_ng"


def kind(stressor: str) -> Kind:
    """One of its stressors as a kind of load."""
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
    """One process owns it all."""
    return 1


def stress(job: Job) -> None:
    """Run it until stopped.

    Raises:
        OSError: It cannot be started, or ended by itself; the message has its last words.
    """
    if sys.platform != "linux":
        raise OSError(f"{NAME} is run on Linux only")
    from pytest_twin.stressors.kinds import _stress_ng_runner

    _stress_ng_runner.run(job)
