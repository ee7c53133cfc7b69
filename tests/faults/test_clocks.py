"""Clocks that jump, and a machine that sleeps."""

from __future__ import annotations

import json
import sys
import time

import pytest

from pytest_twin.model import event
from pytest_twin.model.clock import Clock
from pytest_twin.recording.recording import SAMPLER_PROGRAM, Recording
from pytest_twin.run_folder.folder import RunFolder
from pytest_twin.run_folder.layout import ANNOTATIONS
from pytest_twin.telemetry.sampler import SamplingGap
from pytest_twin.telemetry.sampler_config import SamplerConfig
from pytest_twin.telemetry.sampler_process import SamplingLoop, SuspendDetector

pytestmark = pytest.mark.fault("clocks")

JUMPS = """
    import pytest, time

    @pytest.mark.parametrize("jump", [-86400, 86400])
    def test_jumps(jump, monkeypatch, twin_logger):
        real = time.time
        monkeypatch.setattr(time, "time", lambda: real() + jump)
        twin_logger.annotate("later")
"""


def test_a_calendar_clock_that_jumps_moves_no_time_stamp_and_no_duration(pytester):
    pytester.makepyfile(JUMPS)
    began = time.time()
    pytester.runpytest("--twin").assert_outcomes(passed=2)
    folder = RunFolder(pytester.path / "twin-report")
    rows = [row for name in (ANNOTATIONS, "tests.csv") for row in folder.rows(name)]
    stamps = [row.get("timestamp") or row["start"] for row in rows]
    first = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(began))
    last = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + 1))
    assert all(first <= stamp <= last for stamp in stamps)
    assert all(0 <= float(row["duration_s"]) < 3600 for row in rows if "duration_s" in row)


FREEZES = """
    import pytest, time

    @pytest.mark.stress(cpu=1)
    @pytest.mark.parametrize("at", [0.0, 1e9])
    def test_freezes(at, monkeypatch, twin_logger, stress_mem):
        for name in ("monotonic", "perf_counter", "time"):
            monkeypatch.setattr(time, name, lambda: at)
        with twin_logger.phase("frozen"), stress_mem("1MiB"):
            twin_logger.annotate("later")
"""


@pytest.mark.skipif(sys.platform == "win32", reason="there is one clock only")
def test_clocks_that_a_test_freezes_go_on_for_us(pytester):
    pytester.makepyfile(FREEZES)
    pytester.runpytest("--twin").assert_outcomes(passed=2)
    folder = RunFolder(pytester.path / "twin-report")
    events, tests = folder.rows(ANNOTATIONS), folder.rows("tests.csv")
    assert {row["type"] for row in events} == {"test", "cpu", "memory", "phase", "note"}
    assert all(0 <= float(row["elapsed_s"]) < 3600 for row in events)
    for row in tests:
        walls = [float(row[name]) for name in ("setup_s", "call_s", "teardown_s")]
        assert min(walls) > 0
        assert sum(walls) <= float(row["duration_s"]) < 3600


class Machine:
    """Two clocks that go apart while the machine sleeps, or this process waits for a CPU."""

    def __init__(self) -> None:
        self.at, self.slept, self.reads, self.comparisons, self.stalls = 100.0, 0.0, 0, 0, {}
        self.told: list[tuple[float, float]] = []
        self.sleep = SuspendDetector(self.since_boot, self.now, lambda *said: self.told.append(said))

    def now(self) -> float:
        self.reads += 1
        self.at += self.stalls.get(self.reads, 0.0)
        return self.at

    def since_boot(self) -> float:
        self.comparisons += 1
        return self.at + self.slept

    def rows(self, count: int) -> None:
        for _ in range(count):
            self.at += 0.5
            self.sleep.check(self.at)


def test_a_machine_that_slept_is_told_of_once_with_how_long():
    machine = Machine()
    machine.rows(3)
    machine.slept += 3600
    machine.rows(10)
    assert machine.told == [(102.5, 3600.0)]


def test_a_process_that_waits_for_a_cpu_between_the_clocks_did_not_sleep():
    machine = Machine()
    machine.rows(1)
    machine.stalls = {machine.reads + 1: 30.0}
    machine.rows(20)
    assert machine.told == []


def test_the_clocks_are_compared_once_a_second_however_fast_rows_come():
    machine = Machine()
    for _ in range(1000):
        machine.at += 0.01
        machine.sleep.check(machine.at)
    assert machine.comparisons == pytest.approx(10, abs=2)


def test_every_row_is_looked_at():
    looked: list[float] = []
    waits = iter([False, False, True])
    loop = SamplingLoop(lambda _: "row\n", lambda _: None, 1.0, lambda _due, at: looked.append(at))
    loop.run(lambda: 0.0, lambda _: next(waits))
    assert looked


def test_the_time_that_the_machine_slept_is_a_gap_among_the_events(tmp_path):
    with Recording(RunFolder(tmp_path / "report"), SamplerConfig(0.1)) as recording:
        began = recording.clock.began + 1
        recording._gaps.on_sampling_gap(SamplingGap(began, began, "suspended for 60.0 s", "machine"))
    gaps = [row for row in recording.folder.rows(ANNOTATIONS) if row["type"] == event.GAP]
    # a machine that stands still for a moment really is told as a gap of the sampler
    said = [(row["event"], row["elapsed_s"], row["detail"]) for row in gaps if row["detail"].startswith("machine")]
    assert said == [
        ("start", "1.0000", "machine: suspended for 60.0 s"),
        ("end", "1.0000", "machine: suspended for 60.0 s"),
    ]


TELLS = """
import time
from itertools import count
from pytest_twin.telemetry import sampler_process as sampling
sampling.SUSPEND_CHECK_S = 0.0
clock_gettime, reads = time.clock_gettime, count()
time.clock_gettime = lambda which: clock_gettime(which) + (77.0 if next(reads) > 15 else 0.0)
COLUMNS = ()
class Nothing:
    def read(self, at): return ()
def probe(context): return Nothing()
"""


def test_the_sampler_tells_of_a_sleep_that_its_clocks_show(tmp_path, monkeypatch, eventually):
    from pytest_twin.telemetry.sampler import SamplerClient

    (tmp_path / "slept_probe.py").write_text(TELLS)
    monkeypatch.syspath_prepend(tmp_path)
    gaps: list[SamplingGap] = []
    clock = Clock(time.monotonic(), time.time())
    config = SamplerConfig(
        0.05, path=str(tmp_path / "x.csv"), began=clock.began, epoch=clock.epoch, probes=["slept_probe"]
    )
    sampler = SamplerClient(config, SAMPLER_PROGRAM, on_gap=gaps.append)
    sampler.start()
    try:
        eventually(lambda: any(gap.what == "machine" for gap in gaps))
    finally:
        sampler.stop()
    (gap,) = (gap for gap in gaps if gap.what == "machine")
    assert gap.ended == gap.began
    # the two clocks are not read at the same instant
    assert float(gap.reason.removeprefix("suspended for ").removesuffix(" s")) == pytest.approx(77, abs=1.5)
    assert json.loads(repr(gap.began)) > clock.began
