"""Predict how much slower tests are beside recorded machines, and when more demand overloads one; then measure both.

    python benchmarks/predict_accuracy.py --folder kept --tests cpu --seconds 60
    python benchmarks/predict_accuracy.py --only what-if --seconds 30

Slowdown: the tests of the suite are profiled, or an earlier profile in --folder is used. Of each recording the part
that varies most is replayed beside the tests, which start at random times in it. The measured value is the median
duration of the body beside the replay, relative to the median without one. Beside the prediction stand "no slowdown"
and the slowdown at the mean load.

What if: the same part is replayed with 1.5 and 2 times the demand for CPU time. The share of time in which the demand
exceeds all CPUs, and the mean CPU pressure, are compared with what `pytest-twin predict --what-if` predicts, and with
what the mean demand would tell. It needs `pytest-twin calibrate`.

The machine has to be idle. With --tests, --recordings and --only it runs in parts, for example of seven minutes.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import re
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from _shared import show_one
from twin_fidelity import liveliest, write_recording

from pytest_twin import read_recording
from pytest_twin.model.machine_recording import MachineRecording
from pytest_twin.report.prediction.tried import overload_of_run

HERE = Path(__file__).parent
RECORDINGS = ("compile", "database", "web")
FACTORS = (1.5, 2.0)
SUITE = '''
import os, time, threading, zlib
import pytest

BLOCK = b"." * 65536

def spin(seconds):
    """Burn CPU time of this thread."""
    began = time.thread_time()
    while time.thread_time() - began < seconds:
        zlib.crc32(BLOCK)

def count(calls):
    """Do a fixed amount of work."""
    for _ in range(calls):
        zlib.crc32(BLOCK)

@pytest.mark.parametrize("calls", [500, 2500, 12500, 50000], ids=["short", "fair", "long", "longest"])
def test_cpu(calls):
    count(calls)

def test_cpu_in_threads():
    threads = [threading.Thread(target=count, args=(5000,)) for _ in range(2)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()

@pytest.mark.parametrize("pause", [0.05, 0.2], ids=["half", "mostly"])
def test_mixed_with_sleeps(pause):
    for _ in range(2):
        count(2500)
        time.sleep(pause)

def test_sleep():
    time.sleep(0.3)

@pytest.mark.parametrize(("blocks", "size"), [(20, 1 << 20), (40, 4096)], ids=["large", "small"])
def test_disk_writes(tmp_path, blocks, size):
    data = os.urandom(size)
    with open(tmp_path / "file", "wb", buffering=0) as file:
        for _ in range(blocks):
            file.write(data)
            os.fsync(file.fileno())

def test_memory_is_read():
    data = bytes(96 << 20)
    for _ in range(4):
        assert data.count(b"x") == 0

def test_memory_is_copied():
    data = bytearray(64 << 20)
    for _ in range(4):
        data = bytearray(data)
'''


CONFTEST = '''
import os, random, time
import pytest

TURNS, SPREAD_S = int(os.environ.get("TURNS", "0")), float(os.environ.get("SPREAD_S", "0"))
BEGAN = []

@pytest.fixture
def turn(request):
    """Wait for the time of this test: all turns together are spread over the recording."""
    BEGAN[:] = BEGAN or [time.monotonic()]
    number = request.session.items.index(request.node)
    until = BEGAN[0] + SPREAD_S * (number + random.random()) / len(request.session.items)
    time.sleep(max(0.0, until - time.monotonic()))

def pytest_generate_tests(metafunc):
    if TURNS:
        metafunc.fixturenames.append("turn")
        metafunc.parametrize("turn", range(TURNS), ids=[f"turn{number}" for number in range(TURNS)])

def pytest_collection_modifyitems(items):
    if TURNS:
        draw = random.Random(1)
        items.sort(key=lambda item: (item.callspec.params["turn"], draw.random()))
'''
TURN = re.compile(r"turn\d+-|-turn\d+|\[turn\d+\]")
TESTS = "tests.txt"  # the selection of tests that the profile has
MOST_REPLAYS = 100
DIGITS = 2  # of a slowdown, as it is shown


class Accuracy(NamedTuple):
    """A prediction beside its measurement, as times as slow.

    Attributes:
        predicted: The predicted median, in the middle of its range.
        low: The lower bound of its interval; None without one.
        high: The upper bound.
        at_mean_load: The slowdown at the mean load.
        measured: The measured median.
        starts: The number of measured starts.
    """

    predicted: float
    low: float | None
    high: float | None
    at_mean_load: float
    measured: float
    starts: int

    @property
    def is_within(self) -> bool:
        """Whether the measured value is in the interval, to the digits that are shown."""
        return (
            self.low is not None
            and self.high is not None
            and (round(self.low, DIGITS) <= round(self.measured, DIGITS) <= round(self.high, DIGITS))
        )

    def error(self, value: float) -> float:
        """Return the relative error of a value in per cent."""
        return 100 * abs(value / self.measured - 1)


def run_tests(folder: Path, report: str, turns: int, *flags: str, spread_s: float = 0.0) -> dict[str, list[float]]:
    """Run each profiled test in several turns, in random order, and return the seconds of its body in each.

    The starts are spread over some seconds, unless the tests take longer.
    """
    done = _pytest(folder, report, *flags, TURNS=str(turns), SPREAD_S=f"{spread_s:g}")
    if done.returncode:
        sys.exit(done.stdout + done.stderr)
    found: dict[str, list[float]] = {}
    with (folder / report / "tests.csv").open(newline="") as file:
        for row in csv.DictReader(file):
            found.setdefault(TURN.sub("", row["nodeid"]), []).append(float(row["call_s"]))
    return found


def beside_replay(folder: Path, name: str, turns: int, seconds: float) -> dict[str, list[float]]:
    """Run the tests beside a replay that begins anew when it is over; as `run_tests`."""
    event = {"replay": f"{name}.csv", "repeat": {"every": f"{seconds:.3f}s", "count": MOST_REPLAYS}}
    (folder / f"{name}.json").write_text(json.dumps({"events": [event]}), encoding="utf-8")
    return run_tests(folder, f"beside-{name}", turns, f"--twin-schedule={name}.json", spread_s=seconds)


def _pytest(folder: Path, report: str, *flags: str, **environment: str) -> subprocess.CompletedProcess[str]:
    tests = (folder / TESTS).read_text(encoding="utf-8")
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--twin", f"--twin-report-dir={report}",
               f"--basetemp={folder / 'tmp'}", "-k", tests, *flags]  # fmt: skip
    variables = {**os.environ, **environment}
    return subprocess.run(command, cwd=folder, env=variables, capture_output=True, text=True, check=False)


def profile(folder: Path, seconds: float, recording: str) -> None:
    """Profile the tests, also under CPU and disk together, as for a prediction beside a recording."""
    flags = "--twin-profile", f"--twin-profile-time={seconds:g}s", f"--twin-predict={recording}.csv"
    done = _pytest(folder, "profile", *flags)
    if done.returncode:
        sys.exit(done.stdout + done.stderr)


def predict(folder: Path, name: str, runs: int) -> Mapping[str, Any]:
    """Return what is predicted for each test with intervals of some runs, as in the JSON document."""
    return json.loads(_twin(folder, "predict", "profile", f"{name}.csv", "--runs", runs, "--json", "-"))["tests"]


def measure_slowdowns(given: argparse.Namespace, folder: Path) -> list[Accuracy]:
    """Print a row for each test and recording, and return the figures."""
    print(f"{'recording':10}{'test':34}{'predicted':>10}{'interval':>16}{'at mean':>9}{'measured':>10}{'error, %':>10}")
    found = []
    for name in given.recordings:
        part = part_of(name, given.seconds, folder)
        predicted = predict(folder, name, given.rounds)
        predictions = {nodeid: each for nodeid, each in predicted.items() if each["slowdown"]}
        idle = run_tests(folder, f"idle-{name}", given.rounds)
        busy = beside_replay(folder, name, given.rounds, float(part.frame.index[-1]))
        for nodeid, each in predictions.items():
            accuracy = _accuracy(each, idle[nodeid], busy[nodeid])
            found.append(accuracy)
            _show_accuracy(name, nodeid, accuracy)
    return found


def _accuracy(predicted: Mapping[str, Any], idle: Sequence[float], busy: Sequence[float]) -> Accuracy:
    median, mean = predicted["slowdown"]["p50"], predicted["at_mean_load"]
    return Accuracy(
        (median["largest"] + median["product"]) / 2,
        median["low"],
        median["high"],
        (mean["largest"] + mean["product"]) / 2,
        statistics.median(busy) / statistics.median(idle),
        len(busy),
    )


def _show_accuracy(name: str, nodeid: str, each: Accuracy) -> None:
    test = nodeid.partition("::test_")[2]
    interval = "-" if each.low is None else f"{each.low:.2f} to {each.high:.2f}"
    outside = ", outside" if each.low is not None and not each.is_within else ""
    print(
        f"{name:10}{test:34}{each.predicted:10.2f}{interval:>16}{each.at_mean_load:9.2f}{each.measured:10.2f}"
        f"{each.error(each.predicted):10.1f}  {each.starts} starts{outside}",
        flush=True,
    )


def show_slowdowns(found: Sequence[Accuracy]) -> None:
    """Print the errors beside those of simpler predictions, with the goals."""
    errors = {
        "median error": [each.error(each.predicted) for each in found],
        "median error of no slowdown": [each.error(1.0) for each in found],
        "median error of the mean load": [each.error(each.at_mean_load) for each in found],
    }
    for text, values in errors.items():
        show_one(text, statistics.median(values), "%", "at most 7" if text == "median error" else "")
    within = [each.is_within for each in found if each.low is not None]
    if within:
        show_one(f"measured within the interval, of {len(within)}", 100 * sum(within) / len(within), "%", "at least 90")


def part_of(name: str, seconds: float, folder: Path) -> MachineRecording:
    """Write the part of a recording that varies most into a folder, and return it as read there."""
    path = folder / f"{name}.csv"
    write_recording(liveliest(read_recording(HERE / "recordings" / f"{name}.csv"), seconds), path)
    return read_recording(path)


def measure_overloads(given: argparse.Namespace, folder: Path) -> None:
    """Print for each recording and factor what was predicted, what the mean tells, and what was measured."""
    print(f"{'recording':12}{'overloaded, % of time':>36}{'mean CPU pressure, %':>36}")
    print(f"{'':12}{'predicted':>12}{'of mean':>12}{'measured':>12}{'predicted':>12}{'of mean':>12}{'measured':>12}")
    errors: dict[str, list[float]] = {}
    for name in given.recordings:
        part = part_of(name, given.seconds, folder)
        for factor in FACTORS:
            scale = f"cpu*{factor:g}"
            found = json.loads(_twin(folder, "predict", f"{name}.csv", "--what-if", scale, "--json", "-"))
            what = found["what_if"]["cpu"]
            if what["pressure"] is None:
                sys.exit("this machine is not calibrated; run pytest-twin calibrate")
            report = f"{name}-{factor:g}"
            _twin(folder, "run", f"{name}.csv", "--scale", scale, "--report-dir", report)
            share, pressure = (100 * (value or 0.0) for value in overload_of_run(folder / report, part))
            mean = 100.0 * bool(factor * part.frame["cpu"].mean() > 1)
            row = (100 * what["share_of_time"], mean, share, 100 * what["pressure"],
                   100 * what["pressure_of_mean_demand"], pressure)  # fmt: skip
            print(f"{f'{name} x{factor:g}':12}" + "".join(f"{value:12.1f}" for value in row), flush=True)
            for text, value in zip(("", " of the mean"), row[:2], strict=True):
                errors.setdefault(f"share of time, error{text}", []).append(abs(value - share))
            for text, value in zip(("", " of the mean"), row[3:5], strict=True):
                errors.setdefault(f"pressure, error{text}", []).append(abs(value - pressure))
    for text, values in errors.items():
        goal = "" if text.endswith("mean") else "at most 5 each"
        show_one(f"{text}, largest", max(values), "pt", goal)


def _twin(folder: Path, *words: object) -> str:
    command = [sys.executable, "-m", "pytest_twin", *map(str, words)]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    if done.returncode and "starved: " not in done.stderr:  # on an overloaded machine a load may come short
        sys.exit(done.stdout + done.stderr)
    return done.stdout


def measure(given: argparse.Namespace, folder: Path) -> None:
    """Measure the parts that are asked for."""
    (folder / "test_suite.py").write_text(SUITE, encoding="utf-8")
    (folder / "conftest.py").write_text(CONFTEST, encoding="utf-8")
    (folder / TESTS).write_text(given.tests, encoding="utf-8")
    if given.only in {None, "profile", "slowdown"} and not (folder / "profile" / "profile.csv").exists():
        part_of(given.recordings[0], given.seconds, folder)
        profile(folder, given.profile_time, given.recordings[0])
    if given.only in {None, "slowdown"} and (found := measure_slowdowns(given, folder)):
        show_slowdowns(found)
    if given.only in {None, "what-if"}:
        measure_overloads(given, folder)


def main() -> None:
    """Predict, and measure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", choices=("profile", "slowdown", "what-if"), help="measure this part only")
    parser.add_argument("--tests", default="test", help="tests to profile, as for -k of pytest")
    parser.add_argument("--recordings", nargs="+", choices=RECORDINGS, default=list(RECORDINGS))
    parser.add_argument("--seconds", type=float, default=60, help="length of the part of a recording that is replayed")
    parser.add_argument("--rounds", type=int, default=15, help="starts of each test beside each recording")
    parser.add_argument("--profile-time", type=float, default=1200, help="seconds for the profile of all tests")
    parser.add_argument("--folder", type=Path, help="keep the profile in this folder, and use it the next time")
    given = parser.parse_args()
    if given.folder is not None:
        given.folder.mkdir(parents=True, exist_ok=True)
        measure(given, given.folder.absolute())
        return
    with tempfile.TemporaryDirectory(dir=".") as folder:
        measure(given, Path(folder).absolute())


if __name__ == "__main__":
    main()
