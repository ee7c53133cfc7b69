"""Generate the run folder of a large suite."""

from __future__ import annotations

import json
import math
import random
from collections.abc import Iterator
from pathlib import Path

from pytest_twin.model import attempt_row, event
from pytest_twin.model.clock import Clock
from pytest_twin.model.columns import CellFormatter, header
from pytest_twin.model.csv_text import record
from pytest_twin.model.event import HOST, Event
from pytest_twin.model.version import __version__
from pytest_twin.run_folder.frames import samples_shape
from pytest_twin.run_folder.layout import ANNOTATIONS, DATASET, FINGERPRINT, TESTS

INTERVAL_S = 0.1
EPOCH = 1_767_225_600.0
LOADS = (("cpu", "75%", "74.9%"), ("memory", "25%", "25.0%"), ("disk", "50MB/s", "49.6MB/s"))
OUTCOMES = ("passed",) * 180 + ("failed", "skipped", "xfailed", "error")


def write_run(folder: Path, rows: int, tests: int, epoch: float = EPOCH) -> None:
    """Write the files of a run with this number of samples at 10 Hz and of tests, which began at this time."""
    chance, clock = random.Random(7), Clock(0.0, epoch)
    lasting = rows * INTERVAL_S
    loads = list(_loads(chance, lasting))
    _write_samples(folder / DATASET, rows, clock, chance, loads)
    cells, events = _tests(chance, clock, tests, lasting)
    for number, (start, end, kind, target, achieved) in enumerate(loads):
        begin = Event(start, event.START, f"l{number}", kind, target=target)
        held = json.dumps({"held_s": round(end - start, 4), "coverage": 1.0})
        events += [begin, begin._replace(elapsed_s=end, event=event.END, achieved=achieved, detail=held)]
    events.sort()
    (folder / ANNOTATIONS).write_text(record(event.FIELDS) + "".join(each.row(clock) for each in events))
    (folder / TESTS).write_text(record([column.name for column in attempt_row.COLUMNS]) + "".join(cells))
    machine = {"cpu": {"model": "made up", "logical": 8, "physical": 4}, "memory": {"total_GB": 16.0}}
    (folder / FINGERPRINT).write_text(json.dumps({"pytest_twin": __version__, **machine}))


def _loads(chance: random.Random, lasting: float) -> Iterator[tuple[float, float, str, str, str]]:
    at = 0.0
    while at < lasting * 0.9:
        start = at + chance.uniform(0.01, 0.03) * lasting
        at = min(lasting, start + chance.uniform(0.01, 0.04) * lasting)
        yield start, at, *chance.choice(LOADS)


def _write_samples(
    path: Path, rows: int, clock: Clock, chance: random.Random, loads: list[tuple[float, float, str, str, str]]
) -> None:
    time, *rest = (column for column in samples_shape().columns if column.name != HOST)
    cells = CellFormatter([column for column in rest if column.name != "timestamp"])
    with path.open("w", encoding="ascii") as file:
        file.write(header([time, *rest]) + "\n")
        for number in range(rows):
            at = number * INTERVAL_S
            on = {kind for start, end, kind, *_ in loads if start <= at <= end}
            values = _values(at, on, chance)
            row = [values.get(column.name, 1.0 if column.digits == 0 else None) for column in rest]
            file.write(f"{clock.stamp(at)},{','.join(cells.of(tuple(row)))}\n")


def _values(at: float, on: set[str], chance: random.Random) -> dict[str, float]:
    tests = max(0.0, 12 + 8 * math.sin(at / 40) + chance.gauss(0, 3))
    stress = 70 + chance.gauss(0, 1.5) if "cpu" in on else 0.0
    total = min(100.0, tests + stress + chance.uniform(1, 4))
    return {
        "elapsed_s": at, "cpu_percent": total, "tests_cpu_percent": min(tests, total - stress),
        "stress_cpu_percent": stress, "ram_used_percent": (55 if "memory" in on else 30) + chance.gauss(0, 0.3),
        "disk_read_MB": max(0.0, chance.gauss(-0.3, 0.4)), "load_1m": total / 12.5, "process_count": 200.0,
        "disk_write_MB": 4.8 + chance.gauss(0, 0.3) if "disk" in on else max(0.0, chance.gauss(-0.5, 0.5)),
        "net_sent_MB": abs(chance.gauss(0, 0.01)), "net_recv_MB": abs(chance.gauss(0, 0.02)),
        "pressure_cpu_percent": max(0.0, total - 60 + chance.gauss(0, 5)), "pressure_memory_percent": 0.0,
        "cgroup_oom_kills": 0.0, "pressure_io_percent": 20 + chance.gauss(0, 4) if "disk" in on else 0.0,
        "tests_resident_MB": 180 + at / 60, "stress_resident_MB": 4000.0 if "memory" in on else 12.0,
    }  # fmt: skip


def _tests(chance: random.Random, clock: Clock, tests: int, lasting: float) -> tuple[list[str], list[Event]]:
    cells, events = [], []
    weights = [chance.expovariate(1) for _ in range(tests)]
    at, scale = 0.0, lasting / sum(weights)
    for number, weight in enumerate(weights):
        nodeid = f"tests/part_{number // 200:02}/test_module_{number // 20:03}.py::TestThing::test_case[{number}-value]"
        took, outcome = weight * scale * 0.98, chance.choice(OUTCOMES)
        begin = Event(at, event.START, f"t{number}", event.TEST, nodeid)
        events += [begin, begin._replace(elapsed_s=at + took, event=event.END, detail=outcome)]
        row = {
            "nodeid": nodeid, "attempt": 1, "outcome": outcome, "start": clock.stamp(at), "elapsed_s": f"{at:.4f}",
            "duration_s": f"{took:.6f}", "setup_s": "0.001000", "call_s": f"{took * 0.98:.6f}",
            "teardown_s": "0.000500", "cpu_user_s": f"{took * 0.4:.6f}", "cpu_system_s": f"{took * 0.05:.6f}",
            "children_cpu_s": "0.000000",
            "peak_memory_MB": f"{120 + weight * 9:.3f}", "read_MB": "0.000", "written_MB": f"{weight:.3f}",
            "context_switches": 5, "major_faults": 0,
        }  # fmt: skip
        cells.append(record([row.get(column.name) for column in attempt_row.COLUMNS]))
        at += weight * scale
    return cells, events
