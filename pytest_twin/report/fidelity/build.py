"""Read a recording and the run that replays it, and judge the run."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_twin.loads.schedule.window import WHOLE, Window
from pytest_twin.model.csv_text import visible
from pytest_twin.model.demand_change import changed_recording, within_machine
from pytest_twin.run_folder.machine_recordings import read_part, read_recording

if TYPE_CHECKING:
    from pytest_twin.analysis.fidelity.gates import FidelityGates
    from pytest_twin.analysis.fidelity.scorecard import Scorecard
    from pytest_twin.model.demand_change import DemandChange


def scorecard(
    recording: str,
    run: str,
    gates: FidelityGates,
    only: Sequence[str] = (),
    event_s: float | None = None,
    window: Window = WHOLE,
    changes: Sequence[DemandChange] = (),
) -> Scorecard:
    """Return the scorecard of a run.

    Args:
        recording: The path of the recording that was replayed.
        run: The path of the recording of the replay.
        gates: As in `compare_recordings`.
        only: The same.
        event_s: The same.
        window: The part of the recording that was replayed.
        changes: The changes of its demand with which the recording was replayed. Of what exceeds the machine, the run
            is to show all CPUs and all memory in use.

    Raises:
        ValueError: One of the two cannot be read or has no values to change, or scipy is missing; the message is for
            the user.
    """
    if find_spec("scipy") is None:
        raise ValueError("validate needs scipy; pip install 'pytest-twin[twin]'")
    from pytest_twin.analysis.fidelity.scorecard import compare_recordings

    recorded, replayed = read_part(Path(recording), window), read_recording(Path(run))
    if changes:
        try:
            recorded = within_machine(changed_recording(recorded, changes))
        except ValueError as error:
            raise ValueError(f"{visible(recording)}: scale: {error}") from None
    return compare_recordings((recording, run), recorded, replayed, gates, only=only, event_s=event_s)
