"""Any stressor of stress-ng, where that is installed: so many instances of one, under our supervisor.

It is no kind of its own: a load says ``engine="stress-ng"`` and names its stressors, each of which is one load here.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from functools import cache

from pytest_twin.stressors.job import Job
from pytest_twin.stressors.kind import COUNT, Kind

NAME = "stress-ng"
MODULE = "pytest_twin.stressors.stress_ng"


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
    from pytest_twin.stressors import stress_ng_run

    stress_ng_run.run(job)


def program() -> str:
    """Where it is.

    Raises:
        OSError: It is not installed.
    """
    found = shutil.which(NAME)
    if found is None:
        raise OSError(f"{NAME} is not installed; install it (apt install {NAME}), or leave out engine")
    return found
