"""A stressor that holds open files: ``@pytest.mark.stress(files=500)`` or ``pytest-twin stress --files 500``."""

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
    """Return the number of worker processes: one holds all files."""
    return 1


def stress(job: Job) -> None:
    """Keep the requested number of files open; the loop ends by the exception that stops a worker."""
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
