"""``pytest-twin predict``, as typed."""

from __future__ import annotations

import json
import re

import pytest
from made_profiles import profile_rows, profile_text

from pytest_twin.model.duration_text import NOTHING
from pytest_twin.model.machine_calibration import MachineCalibration
from pytest_twin.telemetry import calibration

MEAN_LOAD = (
    "note: at mean load: what the mean of the load would tell; it is wrong where the load varies, and shown to compare"
)
RISING = (1.0, 1.5, 2.0, 2.5, 3.0)


@pytest.fixture
def write(tmp_path):
    """Writes a profile into a run folder, and a recording of values of the CPU in per cent."""

    def write(*tests, cpu):
        (tmp_path / "run").mkdir()
        (tmp_path / "run" / "profile.csv").write_text(profile_text(*tests), encoding="utf-8")
        rows = "".join(f"{at},{value}\n" for at, value in enumerate(cpu, 1))
        (tmp_path / "server.csv").write_text("elapsed_s,cpu_percent\n" + rows, encoding="utf-8")

    return write


def test_each_test_has_a_row_and_each_remark_a_line(twin, write):
    write(profile_rows("t::<b>[a]", cpu=RISING, membw=(1.0, 1.0, 1.0, 1.0, 1.8)), cpu=[50] * 60)
    lines = twin("predict", "run", "server.csv").splitlines()
    assert lines[0] == (
        "1 test of run beside the CPU load of server.csv (1:00 min, intervals of 1 s): slowdown over all start times, "
        "with 95 % intervals"
    )
    assert lines[1].split() == ["without", "load", "median", "p95", "p99", "at", "mean", "load"]
    assert lines[2] == "t::<b>[a]"
    assert lines[3].split() == ["100", "ms", *["x2.00"] * 4]
    assert re.fullmatch(r"  interval( +1\.\d\d to 2\.\d\d){3}", lines[4])
    assert lines[5:] == [
        "note: disk: not in the profile and the recording both; its slowdown is missing",
        "note: memory bandwidth: no recording tells it; its slowdown is missing; at all of it, t::<b>[a] is x1.80",
        MEAN_LOAD,
    ]


def test_the_document_has_the_figures(twin, write):
    write(profile_rows("t", idle_s=0.01, cpu=RISING), cpu=[0, 100] * 60)
    found = json.loads(twin("predict", "run/profile.csv", "server.csv", "--json", "-"))
    one = found["tests"]["t"]
    assert one["slowdown"]["p99"]["largest"] == pytest.approx(3.0)
    assert one["slowdown"]["p99"]["low"] < 3.0 < one["slowdown"]["p99"]["high"]
    assert one["at_mean_load"]["largest"] == pytest.approx(2.0)
    assert one["above_highest_level"] == {"cpu": 0.0}
    twin("predict", "run", "server.csv", "--json", "found.json")
    assert twin("predict", "run", "server.csv").startswith("1 test of run")


def test_what_is_uncertain_is_told(twin, write):
    half = (1.0, 1.5, 2.0, None, None)
    write(
        profile_rows("long", idle_s=100, cpu=half), profile_rows("unsure", spread=0, cpu=half),
        profile_rows("unknown", disk=RISING), cpu=[*[10] * 30, *[90] * 10],
    )  # fmt: skip
    text = twin("predict", "run", "server.csv")
    assert (
        "note: CPU: 25.0 % of the time the load is above the highest level of the profile; the slowdown of that level "
        "is used\n"
        "note: 1 test longer than the recording: it is repeated\n"
        "note: 1 test without an interval: too few repetitions in the profile\n"
        "note: 1 test not predicted: no measurement without load, or under these loads\n"
    ) in text


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        (("gone", "server.csv"), "gone: No such file or directory"),
        (("run", "gone.csv"), "gone.csv: No such file or directory"),
        (("server.csv", "x"), "server.csv: has no column nodeid; give a run folder with profile.csv, or such a file"),
        ((".", "server.csv"), ".: has no profile of a test; run pytest --twin --twin-profile"),
    ],
)  # fmt: skip
def test_what_cannot_be_read_is_told_in_a_line(twin, write, words, problem):
    write(profile_rows(cpu=RISING), cpu=[50] * 9)
    assert twin("predict", *words, status=2) == f"Error: {problem}\n"


def test_what_if_tells_when_the_demand_exceeds_the_machine(twin, write):
    write(profile_rows(cpu=RISING), cpu=[*[50] * 30, *[90] * 10])
    lines = twin("predict", "server.csv", "--what-if", "cpu*1.5 disk*2").splitlines()
    assert lines[0] == "server.csv (40.0 s): when the changed demand exceeds what the machine has"
    cells = ["135.0 %", "25.0 %", "30.0 s", "1", "10.0 s", "10.0 s"]
    titles = ["highest demand", "time above 100 %", "first after", "stretches", "longest stretch", "median stretch"]
    table = [["what if", "cpu*1.5", "disk*2"], *([*each, NOTHING] for each in zip(titles, cells, strict=True))]
    assert [re.split("  +", line) for line in lines[1:8]] == table
    assert lines[8] == "note: disk: not judged: the recording has no values of disk_read or disk_write"
    found = json.loads(twin("predict", "server.csv", "--what-if", "cpu*1.1", "--json", "-"))["what_if"]["cpu"]
    assert (found["share_of_time"], found["first_s"], found["stretches"]) == (0.0, None, 0)
    assert "never" in twin("predict", "server.csv", "--what-if", "cpu*1.1")


@pytest.fixture(autouse=True)
def calibrated(monkeypatch, tmp_path):
    """Keeps what a machine was measured to do; nothing before."""
    monkeypatch.setattr(calibration, "cache_folder", lambda: tmp_path / "cache")
    return calibration.keep_calibration


def test_what_if_tells_the_pressure_to_expect(twin, write, calibrated):
    write(profile_rows(cpu=RISING), cpu=[*[50] * 30, *[90] * 10])
    text = twin("predict", "server.csv", "--what-if", "cpu*1.5")
    assert (
        "note: cpu: the pressure to expect is not known; run pytest-twin calibrate on this machine, once after each "
        "start\n"
    ) in text
    calibrated(MachineCalibration((0.0, 1.0, 1.2), (0.0, 0.1, 0.9), 100e6))
    lines = twin("predict", "server.csv", "--what-if", "cpu*1.5").splitlines()
    assert lines[8].split() == ["CPU", "pressure", "28.1", "%"]  # 3/4 of the time 7.5 %, and 1/4 of it 90 %
    assert lines[10] == (
        "note: cpu: the pressure is that of loads of this size on this machine; the mean demand all the time would "
        "cause 9.0 %"
    )
    found = json.loads(twin("predict", "server.csv", "--what-if", "cpu*1.5", "--json", "-"))["what_if"]["cpu"]
    assert (found["pressure"], found["pressure_of_mean_demand"]) == pytest.approx((0.28125, 0.09))


def test_the_rate_of_the_disk_is_as_calibrated_unless_it_is_given(twin, tmp_path, calibrated):
    rows = "".join(f"{at},{value}\n" for at, value in enumerate((10, 10, 60, 60), 1))
    (tmp_path / "disk.csv").write_text("elapsed_s,disk_write_MB\n" + rows)
    unknown = "disk: what the disk takes is not known; give --disk-rate, such as 200MB/s, or run pytest-twin calibrate"
    assert twin("predict", "disk.csv", "--what-if", "disk*2", status=2) == f"Error: {unknown}\n"
    calibrated(MachineCalibration((0.0, 1.0), (0.0, 0.1), 100 * 2**20))
    lines = twin("predict", "disk.csv", "--what-if", "disk*2").splitlines()
    assert [line.split()[-2:] for line in lines[2:4]] == [["120.0", "%"], ["50.0", "%"]]
    lines = twin("predict", "disk.csv", "--what-if", "disk*2", "--disk-rate", "500MB/s").splitlines()
    assert lines[3] == "time above 100 %     0 %"


ONE_RECORDING = "give one recording: pytest-twin predict RECORDING --what-if CHANGES"


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        (("server.csv",), "give a profile and a recording: pytest-twin predict PROFILE RECORDING"),
        (("run", "server.csv", "--what-if", "cpu*2"), ONE_RECORDING),
        (("--what-if", "cpu*2"), ONE_RECORDING),
        (("run", "server.csv", "--disk-rate", "1MB/s"), "--disk-rate: is only used with --what-if"),
        (("server.csv", "--what-if", "cpu*2", "--runs", "5"), "--runs: is not used with --what-if"),
        (("server.csv", "--what-if", "cpu*0"), "--what-if: 'cpu*0': '0' is not a factor above 0 and up to 1000"),
        (("server.csv", "--what-if", "disk*2", "--disk-rate", "5"), "--disk-rate: '5' is not a rate such as 200MB/s"),
        (("gone.csv", "--what-if", "cpu*2"), "gone.csv: No such file or directory"),
        (("server.csv", "--what-if", "disk*2"), "disk: the recording has no values of disk_read or disk_write"),
    ],
)
def test_a_wrong_question_is_answered_in_a_line(twin, write, words, problem):
    write(profile_rows(cpu=RISING), cpu=[50] * 9)
    assert twin("predict", *words, status=2).splitlines()[-1] == f"Error: {problem}"


def test_a_part_of_the_recording_may_count(twin, write):
    write(profile_rows("t", cpu=RISING), cpu=[0] * 60 + [50] * 60)
    assert "x2.00" not in twin("predict", "run", "server.csv").splitlines()[3].split()[2]
    text = twin("predict", "run", "server.csv", "--window", "busiest=1m")
    assert text.splitlines()[3].split()[2] == "x2.00"
    assert "note: 60 s of 120 s are used (50.0 %), from 60 s after its start" in text
    busy = twin("predict", "server.csv", "--what-if", "cpu*3", "--window", "from=60s")
    assert "60 s of 120 s are used (50.0 %), from 60 s after its start" in busy


def test_the_intervals_may_be_those_of_a_number_of_runs(twin, write):
    write(profile_rows("t", idle_s=0.01, cpu=RISING), cpu=[0, 100, 40] * 60)
    lines = twin("predict", "run", "server.csv", "--runs", "5").splitlines()
    assert lines[0].endswith("slowdown over all start times, with 95 % intervals of 5 runs")
    few, every = (
        json.loads(twin("predict", "run", "server.csv", "--json", "-", *words)) for words in (("--runs", "5"), ())
    )
    assert (few["runs"], every["runs"]) == (5, None)
    widths = [each["tests"]["t"]["slowdown"]["p50"] for each in (few, every)]
    assert widths[0]["high"] - widths[0]["low"] > 2 * (widths[1]["high"] - widths[1]["low"])


@pytest.mark.parametrize("words", [("run", "clock.csv"), ("clock.csv", "--what-if", "cpu*2")])
def test_a_recording_that_is_mostly_a_gap_is_refused(twin, write, tmp_path, words):
    write(profile_rows(cpu=RISING), cpu=[50] * 9)
    rows = "".join(f"{at},50\n" for at in (*range(1, 20), *range(5000, 5020)))
    (tmp_path / "clock.csv").write_text("elapsed_s,cpu_percent\n" + rows, encoding="utf-8")
    text = twin("predict", *words, status=2)
    assert text.startswith("Error: clock.csv: ")
    assert text.endswith(" has rows; keep the rows before or after the gap\n")
