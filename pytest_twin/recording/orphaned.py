"""What the sampler does for a pytest process that was killed, or left by ``os._exit``: it completes its files."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_twin.run_folder.folder import RunFolder
from pytest_twin.run_folder.recovery import recover

if TYPE_CHECKING:
    from pytest_twin._system.append_file import AppendOnlyFile
    from pytest_twin.model.clock import Clock

WORKERS_END_WITHIN_S = 30.0  # pytest-xdist lets them go on for some seconds
LOOK_EVERY_S = 0.05


def end_what_was_left(path: str, samples: AppendOnlyFile, clock: Clock) -> None:
    """Complete the files of a run, once all processes are gone that write to them.

    Args:
        path: The run folder.
        samples: The dataset of the run.
        clock: Its clock.
    """
    folder = RunFolder(Path(path))
    deadline = time.monotonic() + WORKERS_END_WITHIN_S
    while samples.is_in_place and folder.has_workers and time.monotonic() < deadline:
        time.sleep(LOOK_EVERY_S)
    if samples.is_in_place:  # the next run has the folder; it removes the dataset first
        recover(folder, clock.elapsed(time.monotonic()))
