"""How fast a disk writes, by a quick test: what a schedule asks beyond that is told before anything starts."""

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
WORTH_A_TEST = 200e6  # bytes a second, which nearly every disk of today writes
TEST_BYTES, TEST_S = 64 << 20, 0.25


def remarks(schedule: Schedule, directory: Path) -> Iterator[str]:
    """What is to be known of a schedule before it is played: how its recordings were read, and rates out of reach.

    Args:
        schedule: What will be played.
        directory: Where its disk loads write; it may not be there yet.
    """
    yield from schedule.remarks
    asked = max((part.peak for event in schedule.events for part in event.load.parts
                 if part.kind.keyword == KEYWORD and part.unit == RATE), default=0.0)  # fmt: skip
    if asked > WORTH_A_TEST and (there := measure(directory)) and asked > there:
        yield (
            f"asks the disk for up to {_said(asked)}, and a quick test of it wrote {_said(there)}: "
            "less may be achieved than asked"
        )


def measure(directory: Path) -> float | None:
    """Bytes a second that can be written there, from some dozen megabytes; None where none can be."""
    place = next((each for each in (directory, *directory.absolute().parents) if each.is_dir()), directory)
    try:
        with DiskFile(str(place), TEST_BYTES) as file:
            file.write(LARGEST_CALL)  # its place is made ready
            began, before = time.monotonic(), file.written
            while time.monotonic() - began < TEST_S and file.written < TEST_BYTES:
                file.write(LARGEST_CALL)
            file.sync()
            return (file.written - before) / (time.monotonic() - began)
    except OSError:
        return None


def _said(rate: float) -> str:
    return f"{rate / 1e6:.4g} MB/s"
