"""Export a run as Chrome trace events, for Perfetto and chrome://tracing.

Format: "Trace Event Format" of the Chromium project. Times are microseconds since the run began. The tests of each
worker and each type of load are tracks of complete events, phases are nested in their tests (those that cross are on a
track of their own), notes are instant events, and samples are counters. Each host has its own processes.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from heapq import merge
from typing import Any, NamedTuple

import numpy as np

from pytest_twin.analysis.run.attempts import AttemptSummary
from pytest_twin.analysis.run.by_host import display_name
from pytest_twin.analysis.run.lanes import assign_lanes, worker_sort_key
from pytest_twin.analysis.run.panels import Panel, panels
from pytest_twin.analysis.run.run_summary import RunSummary
from pytest_twin.analysis.run.spans import Note, RunSpan
from pytest_twin.export._slice_nesting import Entry, assign_tracks
from pytest_twin.model import event

NAMES = ("tests", "loads", "host")  # the processes of a host, as the format calls the groups of tracks
DIGITS = 2


class HostProcesses(NamedTuple):
    """The process ids of a host in the trace."""

    tests: int
    loads: int
    host: int


FILE = "trace.json"
BEGINNING = '{"otherData":{"producer":"pytest-twin"},'  # by which a file of ours is known


def lines(summary: RunSummary) -> Iterator[str]:
    """Yield the file with a line for each event, so that it need not be in memory as a whole."""
    yield BEGINNING + '"displayTimeUnit":"ms","traceEvents":[\n'
    separator = ""
    for entry in entries(summary):
        yield separator + json.dumps(entry, separators=(",", ":"), ensure_ascii=False)
        separator = ",\n"
    yield "\n]}\n"


def entries(summary: RunSummary) -> Iterator[Entry]:
    """Yield the names of the tracks, then all other events in time order."""
    names: list[Entry] = []
    others: list[Iterable[Entry]] = []
    for place, own in enumerate(summary.by_host):
        before = place * len(NAMES)
        pids = HostProcesses(before + 1, before + 2, before + 3)
        whose = f"{display_name(own.host)}: " if summary.hosts else ""
        names += (_name_entry("process_name", pid, 0, whose + name) for pid, name in zip(pids, NAMES, strict=True))
        of_host, *streams = _of_host(own, pids)
        names += of_host
        others += streams
    yield from names
    yield from merge(*others, key=lambda entry: entry["ts"])


def _of_host(summary: RunSummary, pids: HostProcesses) -> Iterator[Iterable[Entry]]:
    """Return the names of the tracks of a host, then iterators of its slices and counters in time order."""
    there: list[AttemptSummary | RunSpan | Note] = [*summary.attempts, *summary.spans, *summary.notes]
    workers = sorted({each.worker for each in there}, key=worker_sort_key)
    threads = {worker: place for place, worker in enumerate(workers, 1)}
    tracks = _tracks(summary.spans)
    of_tests = sorted([*_tests(summary, threads, pids.tests), *_phases(summary, threads, pids.tests)], key=_place)
    names = {tid: worker or "tests" for worker, tid in threads.items()} | dict(_separate_crossing(of_tests, threads))
    yield [
        *(_name_entry("thread_name", pids.tests, tid, name) for tid, name in names.items()),
        *(_name_entry("thread_name", pids.loads, tid, name) for name, (tid, _) in tracks.items()),
    ]
    yield sorted([*of_tests, *_loads(tracks, pids.loads), *_notes(summary, threads, pids.tests)], key=_place)
    for panel in panels(summary.run.samples, summary.times):
        yield _counters(panel, summary, pids.host)


def _place(entry: Entry) -> tuple[int, int]:
    return entry["ts"], -entry.get("dur", 0)


def _separate_crossing(slices: Sequence[Entry], threads: Mapping[str, int]) -> Iterator[tuple[int, str]]:
    """Move slices that cross others to tracks beside that of their worker; return the ids and names of those."""
    last = len(threads)
    for worker, tid in threads.items():
        ours = [entry for entry in slices if entry["tid"] == tid]
        found = assign_tracks(ours)
        for entry, track in zip(ours, found, strict=True):
            entry["tid"] = last + track if track else tid
        yield from ((last + track, f"{worker or 'tests'} {track + 1}") for track in range(1, max(found, default=0) + 1))
        last += max(found, default=0)


def _name_entry(what: str, pid: int, tid: int, name: str) -> Entry:
    return {"ph": "M", "name": what, "pid": pid, "tid": tid, "args": {"name": name}}


def _slice(pid: int, tid: int, name: str, kind: str, start_s: float, end_s: float, **told: Any) -> Entry:
    args = {key: value for key, value in told.items() if value is not None and value != ""}
    begin = _us(start_s)
    return {
        "ph": "X", "name": name, "cat": kind, "ts": begin, "dur": max(0, _us(end_s) - begin), "pid": pid, "tid": tid,
        "args": args,
    }  # fmt: skip


def _tests(summary: RunSummary, threads: dict[str, int], pid: int) -> Iterator[Entry]:
    for each in summary.attempts:
        yield _slice(
            pid, threads[each.worker], each.nodeid, "test", each.start_s, each.end_s, outcome=each.outcome,
            attempt=each.number if each.number > 1 else None, setup_s=each.setup_s, call_s=each.call_s,
            teardown_s=each.teardown_s, cpu_s=each.cpu_s, peak_memory_MB=each.peak_memory_MB,
            memory_growth_MB=each.memory_growth_MB, memory_kept_MB=each.memory_kept_MB, load=each.load,
        )  # fmt: skip


def _phases(summary: RunSummary, threads: dict[str, int], pid: int) -> Iterator[Entry]:
    for span in summary.spans:
        if span.type in {event.PHASE, event.GAP}:
            name = span.what or span.type
            yield _slice(pid, threads[span.worker], name, span.type, span.start_s, span.end_s, state=span.state)


def _tracks(spans: Sequence[RunSpan]) -> dict[str, tuple[int, list[RunSpan]]]:
    """Return the loads of each type on as many tracks as overlap, by the names of the tracks."""
    found: dict[str, tuple[int, list[RunSpan]]] = {}
    for kind in sorted({span.type for span in spans if span.is_load}):
        loads = [span for span in spans if span.type == kind]
        for span, lane in zip(loads, assign_lanes(loads), strict=True):
            name = f"{kind} {lane + 1}" if lane else kind
            found.setdefault(name, (len(found) + 1, []))[1].append(span)
    return found


def _loads(tracks: dict[str, tuple[int, list[RunSpan]]], pid: int) -> Iterator[Entry]:
    for tid, spans in tracks.values():
        for span in spans:
            yield _slice(
                pid, tid, span.what or span.type, span.type, span.start_s, span.end_s, asked=span.what,
                achieved=span.achieved, test=span.test, state=span.state, **_detail(span),
            )  # fmt: skip


def _detail(span: RunSpan) -> dict[str, Any]:
    own = {"pid", "tid", "name", "kind", "start_s", "end_s", "asked", "achieved", "test", "state"}
    return {name: value for name, value in span.detail.items() if name not in own}


def _notes(summary: RunSummary, threads: dict[str, int], pid: int) -> Iterator[Entry]:
    for note in summary.notes:
        yield {
            "ph": "i", "s": "t", "name": note.what, "cat": "note", "ts": _us(note.at_s), "pid": pid,
            "tid": threads[note.worker], "args": {"test": note.test} if note.test else {},
        }  # fmt: skip


def _counters(panel: Panel, summary: RunSummary, pid: int) -> Iterator[Entry]:
    """Yield the values of a panel at the times at which one of them changes."""
    before: dict[str, float] = {}
    rows = np.round(np.stack([curve.values for curve in panel.curves], axis=1), DIGITS).tolist()
    names = [curve.name for curve in panel.curves]
    for at_s, row in zip(summary.times.tolist(), rows, strict=True):
        values = {name: value for name, value in zip(names, row, strict=True) if value == value}  # noqa: PLR0124 - NaN
        if values and values != before:
            yield {
                "ph": "C", "name": f"{panel.name} {panel.unit}", "ts": _us(at_s), "pid": pid, "tid": 0, "args": values
            }  # fmt: skip
            before = values


def _us(seconds: float) -> int:
    return max(0, round(seconds * 1e6))
