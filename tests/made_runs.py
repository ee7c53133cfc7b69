"""Run folders that nobody ran: written row by row, so that a test knows all that is in them."""

from __future__ import annotations

import csv
import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

from pytest_twin.model import attempt_row, event
from pytest_twin.report.formats import summary_of

BEGAN = datetime(2026, 1, 1, 12, tzinfo=UTC)
SAMPLES = ("timestamp", "cpu_percent", "ram_used_percent", "disk_read_MB", "disk_write_MB", "elapsed_s",
           "tests_cpu_percent", "stress_cpu_percent", "pressure_cpu_percent", "ram_total_GB",
           "tests_resident_MB", "stress_resident_MB")  # fmt: skip


class MadeRun:
    """The files of a run of which the tests and loads are given; times are seconds since it began."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        self.samples: dict[str, list[dict[str, object]]] = {"": []}
        self.events: list[dict[str, object]] = []
        self.tests: list[dict[str, object]] = []

    def sampled(self, seconds: float, interval: float = 0.1, host: str = "", **values):
        """Samples of a host from 0 s on; a value is a number, or a function of the time."""
        for number in range(round(seconds / interval)):
            at = round(number * interval, 6)
            given = {"cpu_percent": 50.0, "tests_cpu_percent": 20.0, "stress_cpu_percent": 0.0, **values}
            row = {name: value(at) if callable(value) else value for name, value in given.items()}
            self.samples.setdefault(host, []).append({"timestamp": stamp(at), "elapsed_s": f"{at:.4f}", **row})
        return self

    def happened(self, at: float, what: str, kind: str, **cells):
        self.events.append({"timestamp": stamp(at), "elapsed_s": f"{at:.4f}", "event": what, "type": kind, **cells})
        return self

    def test(self, nodeid: str, start: float, end: float, outcome: str = "passed", **cells):
        """A test with its events and its row."""
        name = {
            "id": f"t{len(self.events)}",
            "test": nodeid,
            "worker": cells.get("worker", ""),
            "host": cells.get("host", ""),
        }
        self.happened(start, event.START, event.TEST, **name).happened(
            end, event.END, event.TEST, detail=outcome, **name
        )
        known = {"attempt": 1, "cpu_user_s": 0.5, "cpu_system_s": 0.25, "peak_memory_MB": 100.0, **cells}
        row = {"start": stamp(start), "elapsed_s": start, "duration_s": end - start, "call_s": end - start}
        self.tests.append({"nodeid": nodeid, "outcome": outcome, **row, **known})
        return self

    def load(
        self,
        kind: str,
        target: str,
        start: float,
        end: float,
        achieved: str = "",
        what: str = event.END,
        host="",
        **told,
    ):
        name = {"id": f"l{len(self.events)}", "target": target, "host": host}
        detail = json.dumps({"held_s": end - start, **told})
        self.happened(start, event.START, kind, **name)
        return self.happened(end, what, kind, achieved=achieved, detail=detail, **name)

    def write(self) -> Path:
        """The files; comes back with the folder."""
        self.events.sort(key=lambda row: str(row["timestamp"]))
        tests = [column.name for column in attempt_row.COLUMNS]
        more = dict.fromkeys(name for row in self.tests for name in row if name not in tests)
        own, *others = self.samples
        rare = dict.fromkeys(name for row in self.samples[own] for name in row if name not in SAMPLES)
        self._write("system_metrics_dataset.csv", [*SAMPLES, *rare], self.samples[own])
        self._write("annotations.csv", [column.name for column in event.COLUMNS], self.events)
        self._write("tests.csv", [*tests, *more], self.tests)
        (self.folder / "fingerprint.json").write_text('{"cpu": {"model": "made up", "logical": 4}}', encoding="utf-8")
        for host in others:
            rows = [{**row, "host": host} for row in self.samples[host]]
            self._write(f"hosts/{host}/system_metrics_dataset.csv", [*SAMPLES, "host"], rows)
        if others:
            known = {host: {"fingerprint": {"cpu": {"model": f"made up {host}", "logical": 8}}} for host in others}
            (self.folder / "hosts.json").write_text(json.dumps(known), encoding="utf-8")
        return self.folder

    def _write(self, name: str, columns: Sequence[str], rows: Sequence[dict[str, object]]) -> None:
        if rows:
            (self.folder / name).parent.mkdir(parents=True, exist_ok=True)
            with (self.folder / name).open("w", newline="", encoding="utf-8") as file:
                table = csv.DictWriter(file, columns, restval="", extrasaction="raise")
                table.writeheader()
                table.writerows(rows)

    def summary(self):
        """The run as a report reads it."""
        return summary_of(self.write())


def stamp(at: float) -> str:
    return (BEGAN + timedelta(seconds=at)).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def run_of_two_hosts(folder: Path) -> MadeRun:
    """What each host does is half as much as what the other does; a test of the same name ran on both."""
    made = MadeRun(folder).sampled(6, cpu_percent=lambda at: 40 + at, ram_used_percent=30, disk_write_MB=0)
    made.sampled(
        6, 0.2, "far", cpu_percent=lambda at: 80 + at, tests_cpu_percent=60, ram_used_percent=lambda at: 60 + at
    )
    made.test("t.py::test_here", 0, 2, worker="gw0").test("t.py::test_both", 2, 4, worker="gw0", load="cpu=2")
    made.test("t.py::test_both", 0.5, 3.5, worker="gw1", host="far", peak_memory_MB=700.0, folder="tests/both")
    made.test("t.py::test_there", 3.5, 5.5, "failed", worker="gw1", host="far")
    return made.load("cpu", "2", 2.1, 3.9, "2 cores").load("cpu", "2", 3.6, 5.4, "1 cores", host="far")


def busy_run(folder: Path) -> MadeRun:
    """Three tests, one of which failed under a load that came short."""
    made = MadeRun(folder).sampled(6, ram_used_percent=lambda at: 30 + at, disk_write_MB=0.5)
    made.test("tests/test_a.py::test_quick", 0.0, 0.5)
    made.test("tests/test_a.py::test_slow[1]", 0.5, 4.0, load="cpu=75%", peak_memory_MB=300.0, folder="tests/slow")
    made.test("tests/test_b.py::test_broken", 4.0, 5.5, "failed", cpu_user_s=3.0)
    made.load("cpu", "75%", 0.6, 3.9, "74.8%")
    made.load("disk", "50MB/s", 4.1, 5.4, "10.0MB/s", event.ABORT, reason="starved: achieved 20 % of the request")
    return made.happened(1.0, event.NOTE, event.NOTE, detail="half way", test="tests/test_a.py::test_slow[1]")


def leaky_run(folder: Path) -> MadeRun:
    """A test that leaves 60 MiB behind, after which a test has the highest peak that added nothing."""
    made = MadeRun(folder).sampled(4)
    for start, name, peak, growth, kept in (
        ("0", "quick", 50, 0.25, 0),
        ("1", "leak", 110, 60, 60),
        ("2", "innocent", 111, 1, 0),
    ):
        cells = {"peak_memory_MB": peak, "memory_before_MB": peak - growth, "memory_growth_MB": growth}
        made.test(f"t.py::test_{name}", float(start), float(start) + 1, memory_kept_MB=kept, **cells)
    return made
