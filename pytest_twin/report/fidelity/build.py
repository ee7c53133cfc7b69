"""Read a recording and the run that replays it, and judge the run."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from pytest_twin.loads.modifiers import GUARDS
from pytest_twin.loads.schedule.schema import REPLAY_FIELDS, WINDOW_FIELDS
from pytest_twin.loads.schedule.window import WHOLE, Window, parse_window
from pytest_twin.loads.twin.others import MOST_BUSY, share_beside_load
from pytest_twin.model.csv_text import visible
from pytest_twin.model.demand_change import changed_recording, parse_changes, within_machine
from pytest_twin.model.quantity import format_share, parse_duration
from pytest_twin.run_folder.csv_frames import ReadingError
from pytest_twin.run_folder.folder import RunFolder
from pytest_twin.run_folder.frames import load_samples
from pytest_twin.run_folder.layout import DATASET, SCHEDULE, TESTS
from pytest_twin.run_folder.machine_recordings import read_part

if TYPE_CHECKING:
    from pytest_twin.analysis.fidelity.gates import FidelityGates
    from pytest_twin.analysis.fidelity.scorecard import Scorecard
    from pytest_twin.model.demand_change import DemandChange
    from pytest_twin.model.machine_recording import MachineRecording

REPLAY_KEYS = {"id", "start", "duration", "replay", "note", *REPLAY_FIELDS, *GUARDS}  # of an event
SENT, LOOPBACK, SENDING = "net_sent", "net_loopback", {"replay", "net"}
UNPLAYED = {"net_received": "a schedule does not receive over a network"}


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
        ValueError: One of the two cannot be read or judged or has no values to change, or scipy is missing; the message
            is for the user.
    """
    if find_spec("scipy") is None:
        raise ValueError("validate needs scipy; pip install 'pytest-twin[twin]'")
    from pytest_twin.analysis.fidelity.scorecard import compare_recordings

    recorded, (replayed, unplayed) = _recorded(recording, window, changes), _replayed(Path(run))
    names = recording, run
    card = compare_recordings(names, recorded, replayed, gates, only=only, event_s=event_s, unplayed=unplayed)
    return _with_overloads(card, window, changes)


def scorecard_of_replay(folder: Path, gates: FidelityGates) -> Scorecard | None:
    """Return the scorecard of a run whose schedule replays one recording, or a part of it, and nothing else.

    There is none if the run has tests, if the recording is gone or by now another one, or if scipy is missing.
    """
    run = RunFolder(folder)
    replay = _replay(run.document(SCHEDULE))
    if replay is None or find_spec("scipy") is None or run.text(TESTS).count("\n") > 1:
        return None
    from pytest_twin.analysis.fidelity.scorecard import compare_recordings

    names = os.path.normpath(folder / replay.path), str(folder)
    try:
        recorded = _recorded(names[0], replay.window, replay.changes)
        replayed, unplayed = _replayed(folder)
    except ValueError:
        return None
    if abs(float(recorded.frame.index[-1]) - replay.duration_s) > recorded.interval_s:
        return None
    card = compare_recordings(names, recorded, replayed, gates, unplayed=unplayed)
    return _with_overloads(card, replay.window, replay.changes)


def _with_overloads(card: Scorecard, window: Window, changes: Sequence[DemandChange]) -> Scorecard:
    """Return a scorecard with what was predicted of an overload, and what the run showed of it."""
    if not changes:
        return card
    from pytest_twin.report.prediction.tried import tried_lines

    recording, run = card.names
    lines = tried_lines(Path(run), _with_rows(recording, window), changes)
    return replace(card, remarks=(*card.remarks, *lines))


def _recorded(name: str, window: Window, changes: Sequence[DemandChange]) -> MachineRecording:
    """Return what a replay of a part of a recording with changes of its demand is to show.

    Raises:
        ValueError: It cannot be read, is mostly a gap, or has no values to change.
    """
    recorded = _with_rows(name, window)
    try:
        return within_machine(changed_recording(recorded, changes)) if changes else recorded
    except ValueError as error:
        raise ValueError(f"{visible(name)}: scale: {error}") from None


def _replayed(path: Path) -> tuple[MachineRecording, Mapping[str, str]]:
    """Return what a run did, and which resources cannot be judged in it, with the reasons.

    A schedule sends over the loopback interface what is to be sent over a network.

    Raises:
        ValueError: It cannot be read, or is mostly a gap.
    """
    run = _with_rows(str(path))
    run = replace(run, remarks=(*run.remarks, *_remarks_on_others(path)))
    events = (RunFolder(path).document(SCHEDULE) or {}).get("events")
    sends = isinstance(events, list) and any(isinstance(each, dict) and each.keys() & SENDING for each in events)
    if not sends or not {SENT, LOOPBACK} <= {*run.frame}:
        return run, {}
    return replace(run, frame=run.frame.assign(**{SENT: run.frame[SENT] + run.frame[LOOPBACK]})), UNPLAYED


def _remarks_on_others(path: Path) -> Iterator[str]:
    """Yield a remark on a run beside which other programs used so much of the CPUs that its result shows them too."""
    try:
        samples = load_samples(path / DATASET if path.is_dir() else path)
    except (ReadingError, OSError):  # a file of another tool has no such figures
        return
    share = share_beside_load(samples)
    if share is not None and share > MOST_BUSY:
        used = f"other programs used {format_share(share)} of the CPUs"
        yield f"{used}, which changes the result; replay while nothing else runs"


def _with_rows(name: str, window: Window = WHOLE) -> MachineRecording:
    """Return a part of a recording that is not mostly a gap.

    Raises:
        ValueError: It is, or cannot be read.
    """
    recording = read_part(Path(name), window)
    if recording.gap_problem:
        raise ValueError(visible(f"{name}: {recording.gap_problem}"))
    return recording


class _Replay(NamedTuple):
    """The event that replays a recording: the path as written, the duration, the part, the changes of the demand."""

    path: str
    duration_s: float
    window: Window
    changes: Sequence[DemandChange]


def _replay(schedule: dict[str, Any] | None) -> _Replay | None:
    """Return the replay that is the only event of a schedule, at its start and at the recorded speed; else None."""
    events = (schedule or {}).get("events")
    event = events[0] if isinstance(events, list) and len(events) == 1 else None
    if not isinstance(event, dict) or not isinstance(event.get("replay"), str) or not event.keys() <= REPLAY_KEYS:
        return None
    try:
        start_s, duration_s = (parse_duration(event.get(key, 0)) for key in ("start", "duration"))
        window = parse_window({key: event[key] for key in WINDOW_FIELDS if key in event})
        changes = parse_changes(event["scale"]) if "scale" in event else ()
    except ValueError:
        return None
    is_aligned = start_s == 0 and event.get("speed", 1) == 1
    return _Replay(event["replay"], duration_s, window, changes) if is_aligned else None
