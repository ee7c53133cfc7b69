"""Measure how fast a disk writes, and warn of a schedule that requests more."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_twin.stressors.kinds._disk_file import LARGEST_CALL, DiskFile
from pytest_twin.stressors.spec.kind import RATE

if TYPE_CHECKING:
    from pytest_twin.loads.schedule.schedule import Schedule

KEYWORD = "disk"
WORTH_A_TEST = 200e6  # bytes a second; below this nearly every disk keeps up
TEST_BYTES, TEST_S = 64 << 20, 0.25


def schedule_remarks(schedule: Schedule, directory: Path) -> Iterator[str]:
    """Yield remarks on a schedule before it is played: how its recordings were read, and disk rates out of reach.

    Args:
        schedule: The schedule to be played.
        directory: The directory that its disk loads write in; it need not exist yet.
    """
    yield from schedule.remarks
    requested = max((part.peak for event in schedule.events for part in event.load.parts
                 if part.kind.keyword == KEYWORD and part.unit == RATE), default=0.0)  # fmt: skip
    if requested > WORTH_A_TEST and (measured := measure_write_rate(directory)) and requested > measured:
        yield (
            f"requests a disk rate of up to {_format(requested)}, but a quick test wrote {_format(measured)}: "
            "less than requested may be achieved"
        )


def measure_write_rate(directory: Path) -> float | None:
    """Return the bytes a second that a test of some dozen megabytes wrote in a directory; None if it cannot write."""
    place = next((each for each in (directory, *directory.absolute().parents) if each.is_dir()), directory)
    try:
        with DiskFile(str(place), TEST_BYTES) as file:
            file.write(LARGEST_CALL)  # warm up: allocate the file
            began, before = time.monotonic(), file.written
            while time.monotonic() - began < TEST_S and file.written < TEST_BYTES:
                file.write(LARGEST_CALL)
            file.sync()
            return (file.written - before) / (time.monotonic() - began)
    except OSError:
        return None


def _format(rate: float) -> str:
    return f"{rate / 1e6:.4g} MB/s"
