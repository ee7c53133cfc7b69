"""Measure how faithfully a recording is replayed: traces of CPU usage, and all resources of a real run together.

    python benchmarks/twin_fidelity.py traces/ --seconds 60

Traces: of each CSV file in a folder that shows CPU usage, the values that vary most are replayed, one every half
second, by pytest-twin and by stress-ng started anew at each point. Without a folder the CPU usage of the recordings in
benchmarks/recordings is. The achieved value is the CPU time of the load by the clocks of its processes.

A run: a compiler and a database work for some time and are recorded; then the recording is replayed by `pytest-twin
run` and both are compared as by `pytest-twin validate`. With --run, a part of given recordings is replayed instead: of
another machine, or of this one in another state, so that its memory in use need not be reached.

The machine has to be idle. Each table has the goal of each figure.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from _shared import program
from cpu_trace import POINT_S, READ_S, READS, lag, ours, theirs

from pytest_twin import ReadingError, read_recording
from pytest_twin.analysis.fidelity.gates import FAILED
from pytest_twin.analysis.fidelity.measures import correlation, is_flat, mean_bias, spread
from pytest_twin.analysis.fidelity.scorecard import Scorecard, compare_recordings
from pytest_twin.loads.schedule.window import Window, cut_recording
from pytest_twin.model.machine_formats.parser import parse_text
from pytest_twin.model.machine_recording import RESOURCES, MachineRecording

HERE = Path(__file__).parent
RESOURCES_OF_RUN = ("cpu", "mem", "disk_read", "disk_write")
INTERVAL_S = 1.0
COLUMNS = {"cpu": "cpu_percent", "mem": "ram_used_percent", "disk_read": "disk_read_MB", "disk_write": "disk_write_MB"}
UNITS = {"cpu": 100, "mem": 100, "disk_read": 2**-20, "disk_write": 2**-20}


def traces(folder: Path, points: int) -> dict[str, list[float]]:
    """Return the values in per cent of each file that shows CPU usage: those that vary most."""
    found = {}
    for path in sorted(folder.glob("*.csv")):
        try:
            frame = read_recording(path).frame
        except ReadingError as error:
            print(f"{path.name}: left out: {str(error).removeprefix(f'{path}: ')}")
            continue
        if "cpu" in frame and len(frame) >= points:
            values = frame["cpu"].dropna()
            end = int(values.rolling(points).std().to_numpy()[points - 1 :].argmax()) + points
            found[path.stem] = (100 * values.to_numpy()[end - points : end]).tolist()
    return found


class TraceFigures(NamedTuple):
    """The errors of a replayed trace: mean absolute error in points, correlation, lag in seconds, the gates."""

    error: float
    r: float
    lag_s: float | None
    gates: str


def measure_trace(values: Sequence[float], points: Sequence[float], lag_s: float | None) -> TraceFigures:
    """Compare the achieved values with the trace."""
    recorded, replayed = (_recording_of(each) for each in (values, points))
    card = compare_recordings(("trace", "replay"), recorded, replayed)
    error = float(np.mean(np.abs(np.subtract(points, values))))
    return TraceFigures(error, float(np.corrcoef(points, values)[0, 1]), lag_s, _gates(failed_gates(card), card))


def _recording_of(values: Sequence[float]) -> MachineRecording:
    rows = "".join(f"{(number + 1) * POINT_S},{min(value, 100)}\n" for number, value in enumerate(values))
    return parse_text(f"elapsed_s,cpu_percent\n{rows}")


def failed_gates(card: Scorecard) -> list[str]:
    """Return the gates that a run has failed, each with its resource."""
    failed = [f"{each.name} {one.gate.title}" for each in card.resources for one in each.verdicts
              if one.verdict == FAILED]  # fmt: skip
    return failed + ([card.coupling.gate.title] if card.coupling.verdict == FAILED else [])


def show_traces(folder: Path, points: int) -> None:
    """Replay each trace by both, and print a table."""
    print(f"{'trace, ' + str(points) + ' points':34} {'by':12} {'MAE, pt':>8} {'r':>9} {'lag, s':>7}  gates")
    print(f"{'goal':34} {'':12} {'<= 0.3':>8} {'>= 0.999':>9} {'0':>7}  all passed", flush=True)
    peer = program("stress-ng", "apt-get install stress-ng")
    for name, values in traces(folder, points).items():
        reads = ours(values)
        means = [sum(reads[at : at + READS]) / READS for at in range(0, len(reads), READS)]
        _show_trace(name, "pytest-twin", measure_trace(values, means, lag(reads, values) * READ_S))
        if peer:
            _show_trace(name, "stress-ng", measure_trace(values, theirs(peer, values), None))


def _show_trace(name: str, who: str, found: TraceFigures) -> None:
    late = "" if found.lag_s is None else f"{found.lag_s:.1f}"
    print(f"{name:34.34} {who:12} {found.error:8.3f} {found.r:9.5f} {late:>7}  {found.gates}", flush=True)


def record_work(folder: Path, seconds: float) -> MachineRecording:
    """Record a compiler and a database at work on this machine."""
    work = [sys.executable, HERE / "_machine_work.py", "--seconds", str(seconds), "--directory", folder]
    with subprocess.Popen(work) as working:
        _twin(folder, "record", "--interval", INTERVAL_S, "--duration", f"{seconds:g}s", "--report-dir", "recorded")
        working.wait()
    return read_recording(folder / "recorded")


def write_recording(recording: MachineRecording, path: Path) -> None:
    """Write a recording with the legacy columns."""
    frame = recording.frame
    columns = [name for name in RESOURCES_OF_RUN if name in frame]
    units = [UNITS[name] * (recording.interval_s if name.startswith("disk") else 1) for name in columns]
    written = frame[columns].mul(units).rename(columns=COLUMNS)
    written.to_csv(path)


def replay(recording: MachineRecording, folder: Path) -> MachineRecording:
    """Replay a recording, and return that of its replay."""
    write_recording(recording, folder / "recording.csv")
    (folder / "plan.json").write_text(json.dumps({"events": [{"replay": "recording.csv"}]}), encoding="utf-8")
    _twin(folder, "run", "plan.json", "--interval", recording.interval_s, "--report-dir", "replayed")
    return read_recording(folder / "replayed")


def _twin(folder: Path, *words: object) -> None:
    command = [sys.executable, "-m", "pytest_twin", *map(str, words)]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    if done.returncode:
        print(done.stdout + done.stderr)


def liveliest(recording: MachineRecording, seconds: float) -> MachineRecording:
    """Return the part of a recording in which its resources vary most."""
    frame = recording.frame[[name for name in RESOURCES_OF_RUN if name in recording.frame]]
    rows = max(2, round(seconds / recording.interval_s))
    if rows >= len(frame):
        return recording
    varies = (frame.rolling(rows).std() / frame.std().where(frame.std() > 0)).clip(upper=2).sum(axis=1)
    until = float(frame.index[int(varies.to_numpy()[rows:].argmax()) + rows])
    return cut_recording(recording, Window(max(0.0, until - rows * recording.interval_s), until))


def show_run(name: str, recording: MachineRecording, replayed: MachineRecording) -> None:
    """Print the errors of each resource of a run."""
    card = compare_recordings((name, "replay"), recording, replayed, only=RESOURCES_OF_RUN)
    print(
        f"\n{name + ', ' + format(card.duration_s, '.0f') + ' s':34} {'NMBE, %':>9} {'r':>8} {'p99, pt':>8}  recorded"
    )
    print(f"{'goal':34} {'+-3':>9} {'>= 0.95':>8} {'+-5':>8}")
    for each in card.resources:
        known = np.isfinite(each.recorded) & np.isfinite(each.replayed) if len(each.recorded) else np.array([], bool)
        if known.sum() < 2:
            continue
        recorded, run = each.recorded[known], each.replayed[known]
        p99 = 100 * float(np.quantile(run, 0.99) - np.quantile(recorded, 0.99)) / (spread(recorded) or 1.0)
        unit = RESOURCES[each.name].unit
        span = f"mean {np.mean(recorded):.4g}, {np.min(recorded):.4g} to {np.max(recorded):.4g} {unit}"
        bias, r = (
            _text(mean_bias(recorded, run), "+.2f"),
            "-" if is_flat(recorded) else _text(correlation(recorded, run), ".4f"),
        )
        print(f"  {each.name:32} {bias:>9} {r:>8} {p99:+8.1f}  {span}")
    print(f"  gates: {_gates(failed_gates(card), card)}", flush=True)


def _gates(failed: Sequence[str], card: Scorecard) -> str:
    """Return the verdict of a scorecard as text."""
    return f"failed: {', '.join(failed)}" if failed else f"all {card.verdict}"


def _text(value: float | str, form: str) -> str:
    return "-" if isinstance(value, str) else format(value, form)


def main() -> None:
    """Replay, and compare."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "folder", type=Path, nargs="?", default=HERE / "recordings", help="folder of traces of CPU usage"
    )
    parser.add_argument("--points", type=int, default=60, help="values of each trace, two a second; 0 leaves them out")
    parser.add_argument("--seconds", type=float, default=60, help="length of a run; 0 leaves it out")
    parser.add_argument("--run", type=Path, action="append", help="recording to replay a part of, instead of a new one")
    given = parser.parse_args()
    if given.points:
        show_traces(given.folder, given.points)
    for path in (given.run or [None]) if given.seconds else ():
        with tempfile.TemporaryDirectory(dir=".") as name:
            folder = Path(name)
            recording = liveliest(read_recording(path), given.seconds) if path else record_work(folder, given.seconds)
            try:
                show_run(path.stem if path else "a compiler and a database", recording, replay(recording, folder))
            except ReadingError as error:
                print(f"no replay: {error}")


if __name__ == "__main__":
    main()
