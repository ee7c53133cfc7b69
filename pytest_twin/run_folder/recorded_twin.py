"""Read a recording as the twin of its machine: what tests may use, and what surrounds them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pytest_twin.loads.parser import parse_load
from pytest_twin.loads.registry import keyword_of_type, kinds
from pytest_twin.loads.schedule.replay import LOOPBACK, replay_of
from pytest_twin.loads.schedule.schedule import Schedule, ScheduledLoad
from pytest_twin.loads.schedule.schema import EVENT_FIELDS
from pytest_twin.loads.schedule.window import Window, cut_recording
from pytest_twin.loads.spec import LoadError
from pytest_twin.loads.twin.machine import Machine, machine_of
from pytest_twin.loads.twin.machine_limits import (
    BY_CORES,
    MachineLimits,
    TwinError,
    cpus_of_tests,
    limits_like,
    require_cpus,
)
from pytest_twin.loads.twin.others import has_trees, others_of, parallel_cpus, share_of_tests
from pytest_twin.loads.twin.surroundings import WORK, RecordedLoad, Stretch, Surroundings, with_competitors
from pytest_twin.model import event
from pytest_twin.model.csv_text import visible
from pytest_twin.model.machine_formats.parser import parse_blocks
from pytest_twin.model.machine_recording import MachineRecording
from pytest_twin.model.quantity import format_bytes, format_share
from pytest_twin.run_folder import frames
from pytest_twin.run_folder.csv_frames import ReadingError, read_heading
from pytest_twin.run_folder.layout import FINGERPRINT
from pytest_twin.run_folder.machine_recordings import blocks_of_rows, read_recording
from pytest_twin.run_folder.rotation import PARQUET, open_segment

if TYPE_CHECKING:
    import pandas as pd

    from pytest_twin.model.run import Run

MACHINE_COLUMNS = "cpu_count_logical", "ram_total_GB"
NOT_REPRODUCED = "inbound network, cache contents, disk latency"
OUTBOUND = "outbound network (which part of it the tests sent is not known)"
FAILED = ("failed", "error", "crashed")


@dataclass(frozen=True, eq=False)
class RecordedTwin:
    """A recording, as what it does to tests of this machine.

    Attributes:
        name: The name of the recording.
        limits: What tests may use of this machine.
        surroundings: What surrounds each test, of a recording that has tests; None otherwise.
        schedule: What surrounds the session, of a recording without tests; None otherwise.
        lines: What is reproduced, and how, and what is not, a line each.
    """

    name: str
    limits: MachineLimits
    surroundings: Surroundings | None
    schedule: Schedule | None
    lines: tuple[str, ...]


def read_twin(path: Path, here: Machine, scale: str, window: Window) -> RecordedTwin:
    """Read a recording.

    Args:
        path: A run folder, or any file that `read_recording` reads.
        here: This machine.
        scale: One of `LIKE_SCALES`.
        window: The part of it that is played around the session.

    Raises:
        ReadingError: It cannot be read.
        RecordingError: It has nothing to replay, or not this part.
        TwinError: It cannot be reproduced here.
    """
    name = visible(path.resolve().name or str(path)).replace(" ", "_")
    run = _run_of(path)
    if run is not None and (len(run.tests) or has_trees(run.samples)):  # a recorded server has a tests.csv too
        return _twin_of_run(run, name, here, scale, window)
    return _twin_of_server(path, run, name, here, scale, window)


def _run_of(path: Path) -> Run | None:
    """Return a run folder, or a file that has our columns, with the samples of pytest's own host; None for others."""
    try:
        if not path.is_dir() and not _has_our_columns(path):
            return None
        run = frames.load(path)
    except (OSError, ReadingError):  # reported by whoever reads it as a recording
        return None
    host = run.samples.get(event.HOST)
    return run if host is None else replace(run, samples=run.samples[host.isna()])


def _has_our_columns(path: Path) -> bool:
    """Return whether a file is a dataset that tells the CPUs and the memory of its machine."""
    if path.suffix == PARQUET:
        return True
    with open_segment(path) as file:
        names, _ = read_heading(file)
    return "timestamp" in names and not {*MACHINE_COLUMNS}.isdisjoint(names)


def _twin_of_server(path: Path, run: Run | None, name: str, here: Machine, scale: str, window: Window) -> RecordedTwin:
    there = Machine() if run is None else _machine_of_run(run)
    whole = read_recording(path) if run is None else _recording_of(run.samples)
    require_cpus(there, here, scale)
    recording = cut_recording(_scaled(whole, there, here, scale), window)
    replay = replay_of(recording, name, kinds())
    load = replace(replay.load, parts=tuple(map(with_competitors, replay.load.parts)), keywords={"replay": name})
    schedule = Schedule((ScheduledLoad("others", 0.0, replay.duration_s, load),), name=name)
    lines = (
        f"all of it is load, from the first test on, for {replay.duration_s:.1f} s",
        _loads_line(recording, there, here, scale),
        *(remark for remark in replay.remarks if remark != LOOPBACK),
        f"not reproduced: its CPUs and memory as constraints (it has no tests), {NOT_REPRODUCED}",
    )
    return RecordedTwin(name, MachineLimits(), None, schedule, lines)


def _machine_of_run(run: Run) -> Machine:
    """Return the machine of a run; what its fingerprint does not tell is in the columns of the old datasets."""
    known = machine_of(run.fingerprint)
    cpus, memory = (run.samples[name].max() if name in run.samples else None for name in MACHINE_COLUMNS)
    found = machine_of({"cpu": {"logical": _number(cpus)}, "memory": {"total_GB": _number(memory)}})
    return known._replace(cpus=known.cpus or found.cpus, memory_bytes=known.memory_bytes or found.memory_bytes)


def _number(value: Any) -> float | None:
    try:
        return float(value)
    except (TypeError, ValueError):
        return None


def _twin_of_run(run: Run, name: str, here: Machine, scale: str, window: Window) -> RecordedTwin:
    there = machine_of(run.fingerprint)
    if there.cpus is None:
        raise TwinError(f"has no {FINGERPRINT} that tells its CPUs; give the whole run folder")
    samples = run.samples
    constraints = list(_session_constraints(run.events))
    limits = limits_like(there, constraints, here, scale, parallel_cpus(samples, there.cpus))
    remarks = list(limits.remarks)
    others, began_s = None, 0.0
    if has_trees(samples):
        others = _recording_of(others_of(samples, there.cpus, cpus_of_tests(there, constraints)))
        others = _scaled(others, there, here, scale)
        if "elapsed_s" in samples:
            began_s = float(samples["elapsed_s"].iloc[0]) - float(others.frame.index[0])
            others.frame[WORK] = share_of_tests(samples, others.frame.index + began_s)
    else:
        remarks.append("what its tests used was not recorded, so the load of others is not known")
    loads, unread = _recorded_loads(run.events, run.schedule)
    remarks += unread
    stretches = _stretches(run.tests)
    found = Surroundings(name, others, began_s, loads, stretches, kinds(), window)
    lines = (
        *_surroundings_lines(found, there, here, scale, limits.constraint),
        *dict.fromkeys(remarks),
        f"not reproduced: {OUTBOUND}, {NOT_REPRODUCED}",
    )
    return RecordedTwin(name, limits, found, None, lines)


def _surroundings_lines(
    found: Surroundings, there: Machine, here: Machine, scale: str, constraint: str
) -> Iterator[str]:
    """Yield what surrounds the tests, by what, and scaled how."""
    yield f"the tests may use {constraint}" if constraint else "the tests may use all of this machine"
    if (cut := found.cut) is not None:
        length = float(cut.frame.index[-1])
        many = len(found.stretches)
        own = (
            "1 test of it has its own stretch of time around it"
            if many == 1
            else f"{many} tests of it have their own stretch of time around them"
        )
        yield f"{own}, others the whole ({length:.1f} s), from the first test on"
        if cut is not found.others:
            yield cut.remarks[-1]
        yield _loads_line(cut, there, here, scale, "others: ")
    if found.loads:
        texts = dict.fromkeys(str(each.load) for each in found.loads)
        yield f"loads that were scheduled there: {', '.join(list(texts)[:5])}{', ...' if len(texts) > 5 else ''}"


def _loads_line(recording: MachineRecording, there: Machine, here: Machine, scale: str, whose: str = "") -> str:
    """Return what the load of a recording reproduces, with means and peaks."""
    frame, parts = recording.frame, []
    if "cpu" in frame:
        mean, peak = frame["cpu"].mean(), frame["cpu"].max()
        by = "cores' worth" if scale == BY_CORES else "share of each CPU"
        parts.append(f"CPU {format_share(mean)} (at most {format_share(peak)}), as the same {by}")
    if "mem" in frame:
        rise = frame["mem"].max() - frame["mem"].min()
        size = f" ({format_bytes(rise * here.usable_bytes)})" if here.usable_bytes else ""
        parts.append(f"memory rising by {format_share(rise, 1)}{size}")
    for column, what in (("disk_read", "disk reads"), ("disk_write", "disk writes"), ("net_sent", "outbound network")):
        if column in frame and frame[column].max() > 0:
            over = " over the loopback interface" if column == "net_sent" else ""
            parts.append(f"{what} of {frame[column].mean() / 1e6:.3g} MB/s{over}")
    cpus = f"{there.cpus} CPUs there, {here.allowed} here" if there.cpus and there.cpus != here.allowed else ""
    return f"{whose}reproduced by loads: {'; '.join(parts)}{f' ({cpus})' if cpus else ''}"


def _recording_of(samples: pd.DataFrame) -> MachineRecording:
    return parse_blocks(blocks_of_rows(samples))


def _scaled(recording: MachineRecording, there: Machine, here: Machine, scale: str) -> MachineRecording:
    """Return a recording with the shares of this machine that are the amounts of the other, if that is the scale."""
    if scale != BY_CORES:
        return recording
    frame = recording.frame.copy()
    cpu, memory = (there.cpus or 0) / (here.usable_cpus or 1), None
    if there.memory_bytes and here.usable_bytes:
        memory = there.memory_bytes / here.usable_bytes
    for name, factor in (("cpu", cpu), ("mem", memory)):
        if name in frame and factor:
            frame[name] = (frame[name] * factor).clip(upper=1.0)
    return replace(recording, frame=frame)


def _session_constraints(events: pd.DataFrame) -> Iterator[str]:
    """Yield the constraints of a session as written, without those of single tests."""
    for row in _rows(events, "event", "type", "test", "target", "id"):
        if row["event"] == event.START and row["type"] == event.CONSTRAINT and not row["test"]:
            yield row["target"]


def _recorded_loads(
    events: pd.DataFrame, schedule: Mapping[str, Any] | None
) -> tuple[Sequence[RecordedLoad], Sequence[str]]:
    """Return the loads that were scheduled in a run, and what of them cannot be read."""
    documents = (schedule or {}).get("events")
    planned = {str(each.get("id")): each for each in documents or () if isinstance(each, dict)}
    found: dict[str, tuple[float, dict[str, str]]] = {}
    loads, unread = [], []
    for row in _rows(events, "event", "type", "test", "target", "id", "elapsed_s", "host"):
        if not row["target"] or row["type"] == event.CONSTRAINT or row["host"]:
            continue
        if row["event"] == event.START:
            found[row["id"]] = float(row["elapsed_s"]), row
        elif row["event"] in {event.END, event.ABORT} and row["id"] in found:
            began, start = found.pop(row["id"])
            keyword = keyword_of_type().get(row["type"], row["type"])
            words = _words(planned, start, keyword)
            try:
                load = parse_load(words, kinds())
            except LoadError:
                unread.append(f"not reproduced: the scheduled load {keyword}={start['target']}, which cannot be read")
                continue
            loads.append(RecordedLoad(Stretch(began, float(row["elapsed_s"])), load, start["test"]))
    return sorted(loads, key=lambda each: each.span.since), unread


def _words(planned: Mapping[str, Mapping[str, Any]], row: Mapping[str, str], keyword: str) -> dict[str, Any]:
    """Return the keywords of a load: those of its event in the schedule, or the amount that its row has."""
    name = row["id"].partition("~")[0].rpartition("/")
    for known in (row["id"].partition("~")[0], name[0], name[2]):
        words = {key: raw for key, raw in planned.get(known, {}).items() if key not in EVENT_FIELDS}
        if str(words.get(keyword)) == row["target"].partition(",")[0]:
            kind = kinds()[keyword]
            return {key: raw for key, raw in words.items() if key == keyword or key in {"ramp", *kind.modifiers}}
    return {keyword: row["target"]}


def _stretches(tests: pd.DataFrame) -> dict[str, Stretch]:
    """Return the stretch of the body of each test: of its first attempt that failed, otherwise of its first one."""
    found: dict[str, tuple[bool, Stretch]] = {}
    names = ("nodeid", "outcome", "host", "elapsed_s", "duration_s", "call_s", "teardown_s")
    for row in _rows(tests, *names):
        try:
            began, lasts, call = (float(row[name]) for name in ("elapsed_s", "duration_s", "call_s"))
            teardown = float(row["teardown_s"] or 0)
        except ValueError:  # it has no body
            continue
        until = began + lasts - teardown
        failed = row["outcome"] in FAILED
        if not row["host"] and (row["nodeid"] not in found or (failed and not found[row["nodeid"]][0])):
            found[row["nodeid"]] = failed, Stretch(max(began, until - call), until)
    return {nodeid: stretch for nodeid, (_, stretch) in found.items()}


def _rows(frame: pd.DataFrame, *names: str) -> Iterable[dict[str, str]]:
    """Yield the rows of a frame as text, empty where there is no value."""
    columns = [frame[name].astype(object).where(frame[name].notna(), "") if name in frame else None for name in names]
    lists = [[""] * len(frame) if column is None else [str(cell) for cell in column] for column in columns]
    return (dict(zip(names, row, strict=True)) for row in zip(*lists, strict=True))
