"""Read a recording and the run that replays it, and judge the run."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_twin.loads.schedule.window import WHOLE, Window
from pytest_twin.run_folder.machine_recordings import read_part, read_recording

if TYPE_CHECKING:
    from pytest_twin.analysis.fidelity.gates import FidelityGates
    from pytest_twin.analysis.fidelity.scorecard import Scorecard


def scorecard(
    recording: str,
    run: str,
    gates: FidelityGates,
    only: Sequence[str] = (),
    event_s: float | None = None,
    window: Window = WHOLE,
) -> Scorecard:
    """Return the scorecard of a run.

    Args:
        recording: The path of the recording that was replayed.
        run: The path of the recording of the replay.
        gates: As in `compare_recordings`.
        only: The same.
        event_s: The same.
        window: The part of the recording that was replayed.

    Raises:
        ValueError: One of the two cannot be read, or scipy is missing; the message is for the user.
    """
    if find_spec("scipy") is None:
        raise ValueError("validate needs scipy; pip install 'pytest-twin[twin]'")
    from pytest_twin.analysis.fidelity.scorecard import compare_recordings

    recorded, replayed = read_part(Path(recording), window), read_recording(Path(run))
    return compare_recordings((recording, run), recorded, replayed, gates, only=only, event_s=event_s)
