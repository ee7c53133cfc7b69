"""A stressor: so many open files, as ``@pytest.mark.stress(files=500)`` or ``pytest-twin stress --files 500``."""

from __future__ import annotations

import os
import time

from pytest_twin import COUNT, Job, Kind

KIND = Kind(
    keyword="files",
    type="files",
    module="acme_twin.files_stress",
    units=(COUNT,),
    bare=(COUNT, 1),
    amounts="a whole number of open files",
    modifiers=(),
    measure="open_files",
)


def workers(job: Job) -> int:
    """One process holds them all."""
    return 1


def stress(job: Job) -> None:
    """Follow the profile until stopped; being stopped raises an exception, so nothing has to be asked for here."""
    held: list[int] = []
    is_ready = False
    while True:
        wanted = round(job.target())
        while len(held) < wanted:
            held.append(os.open(os.devnull, os.O_RDONLY))
        while len(held) > wanted:
            os.close(held.pop())
        job.achieved["open_files"] = len(held)
        if not is_ready:
            job.ready()
            is_ready = True
        job.tick()
        time.sleep(0.05)
