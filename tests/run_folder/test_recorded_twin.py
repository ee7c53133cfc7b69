"""Read a recording as the twin of its machine."""

from __future__ import annotations

import json

import pytest
from made_runs import MadeRun

from pytest_twin.loads.schedule.window import Window
from pytest_twin.loads.twin.machine import Machine
from pytest_twin.loads.twin.machine_limits import TwinError
from pytest_twin.loads.twin.surroundings import Stretch
from pytest_twin.model.machine_formats.parser import RecordingError
from pytest_twin.run_folder import rotation
from pytest_twin.run_folder.csv_frames import ReadingError
from pytest_twin.run_folder.recorded_twin import read_twin
from pytest_twin.stressors.spec.profile import Profile

HERE = Machine(8, 8, None, 16 << 30)
SERVER = "timestamp,cpu_percent,cpu_count_logical,ram_total_GB\n" + "".join(
    f"2026-01-01T10:00:{second:02}Z,{20 + second},4,8\n" for second in range(30)
)


def made(path):
    """A run of two tests on 4 CPUs: others have half of them, and what the tests leave of it."""
    run = MadeRun(path / "ci").sampled(6, cpu_percent=70.0, tests_cpu_percent=20.0)
    return run.test("test_a.py::test_a", 1, 2).test("test_a.py::test_b", 3, 5, "failed", setup_s=0.5, call_s=1.5)


def twin_of(path, scale="share", window=Window(), here=HERE):  # noqa: B008 - it is immutable
    return read_twin(path, here, scale, window)


def peak(load):
    return round(max(part.peak for part in load.parts if part.kind.keyword == "cpu"), 4)


def test_a_run_tells_what_its_tests_might_use_and_what_surrounded_them(tmp_path):
    found = twin_of(made(tmp_path).write())
    assert found.limits.constraint == "cpus=4"
    assert found.schedule is None
    assert found.surroundings.stretches == {
        "test_a.py::test_a": Stretch(1.0, 2.0),
        "test_a.py::test_b": Stretch(3.5, 5.0),
    }
    (event,) = found.surroundings.around("test_a.py::test_a", None, 0.0).events
    assert peak(event.load) == 0.5
    assert found.lines[0] == "the tests may use cpus=4"
    assert found.lines[1].startswith("2 tests of it have their own stretch of time around them, others the whole")
    assert found.lines[2].startswith("others: reproduced by loads: CPU 50 % (at most 50 %), as the same share of each")
    assert found.lines[-1] == (
        "not reproduced: outbound network (which part of it the tests sent is not known), inbound network, cache "
        "contents, disk latency"
    )


def test_the_constraint_of_the_session_counts_and_that_of_a_test_does_not(tmp_path):
    run = made(tmp_path).happened(0.5, "start", "constraint", id="l1", target="cpu=1 mem=2GiB")
    run.happened(3.5, "start", "constraint", id="l2", target="cpu=0.1", test="test_a.py::test_b")
    assert twin_of(run.write()).limits.constraint == "cpus=4 cpu=1 mem=2048MiB"


def test_the_failed_attempt_of_a_test_is_reproduced(tmp_path):
    run = MadeRun(tmp_path / "ci").sampled(6)
    for start, outcome in ((1, "passed"), (2, "failed"), (3, "failed"), (4, "passed")):
        run.test("test_it", start, start + 0.5, outcome)
    assert twin_of(run.write()).surroundings.stretches == {"test_it": Stretch(2.0, 2.5)}


def test_loads_of_the_schedule_of_the_run_are_reproduced_as_they_were_written(tmp_path):
    run = made(tmp_path).load("cpu", "50%", 0.5, 2.5).load("memory", "1MiB", 1.5, 5.5).load("cpu", "prod.csv", 1, 2)
    path = run.write()
    event = {"id": run.events[-2]["id"], "start": "1s", "duration": "4s", "mem": "1MiB", "ramp": "1s", "note": "rise"}
    (path / "schedule.json").write_text(json.dumps({"events": [event, "damaged"]}))
    found = twin_of(path)
    assert sorted(str(each.load) for each in found.surroundings.loads) == ["cpu=50%", "mem=1MiB"]
    assert "loads that were scheduled there: cpu=50%, mem=1MiB" in found.lines
    assert "not reproduced: the scheduled load cpu=prod.csv, which cannot be read" in found.lines


def test_all_of_a_recording_of_a_server_is_load(tmp_path):
    path = tmp_path / "server.csv"
    path.write_text(SERVER)
    found = twin_of(path)
    assert (found.limits.constraint, found.surroundings) == ("", None)
    (event,) = found.schedule.events
    assert (event.start_s, event.duration_s, peak(event.load)) == (0.0, 30.0, 0.49)
    assert found.lines[0] == "all of it is load, from the first test on, for 30.0 s"
    assert found.lines[-1].startswith("not reproduced: its CPUs and memory as constraints (it has no tests), inbound")


def test_a_run_folder_without_a_row_of_tests_is_a_recording_of_a_server(tmp_path):
    recorded = MadeRun(tmp_path / "server").sampled(6, cpu_percent=70.0, tests_cpu_percent="").write()
    header = (made(tmp_path).write() / "tests.csv").read_text().partition("\n")[0]
    (recorded / "tests.csv").write_text(f"{header}\n")
    found, dataset = twin_of(recorded), twin_of(recorded / "system_metrics_dataset.csv")
    assert (found.limits.constraint, found.surroundings) == ("", None)
    assert peak(found.schedule.events[0].load) == peak(dataset.schedule.events[0].load) == 0.7
    assert found.lines[0] == dataset.lines[0]
    assert found.lines[-1] == dataset.lines[-1]


def test_a_window_of_a_server_is_played_and_it_says_how_much_that_is(tmp_path):
    path = tmp_path / "server.csv"
    path.write_text(SERVER)
    found = twin_of(path, window=Window(busiest_s=10.0))
    (event,) = found.schedule.events
    assert event.duration_s == 10.0
    shares = [value for _, value in event.load.parts[0].profile]
    assert min(shares) == pytest.approx(0.4)
    assert "10 s of 30 s are played (33.3 %), from 2026-01-01 10:00:19 UTC" in found.lines


def test_a_window_is_for_tests_that_the_run_does_not_have(tmp_path):
    rising = MadeRun(tmp_path / "ci").sampled(10, cpu_percent=lambda at: at * 10, tests_cpu_percent=0.0)
    found = twin_of(rising.test("test_it", 1, 2).write(), window=Window(since=5.0)).surroundings
    (own,) = found.around("test_it", None, 0.0).events
    (other,) = found.around("test_other", None, 0.0).events
    assert peak(own.load) <= 0.25
    assert Profile(list(other.load.parts[0].profile)).at(0.05) == pytest.approx(0.5, abs=0.05)


def test_by_cores_the_amounts_are_the_same(tmp_path):
    path = tmp_path / "server.csv"
    path.write_text(SERVER)
    assert peak(twin_of(path, "cores").schedule.events[0].load) == 0.245
    (event,) = twin_of(made(tmp_path).write(), "cores").surroundings.around("test_a.py::test_a", None, 0.0).events
    assert peak(event.load) == 0.25


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (lambda path: (path / "fingerprint.json").unlink(), "has no fingerprint.json that tells its CPUs"),
        (lambda path: (path / "fingerprint.json").write_text("{"), "has no fingerprint.json that tells its CPUs"),
    ],
)
def test_a_run_without_a_fingerprint_is_refused(tmp_path, change, problem):
    path = made(tmp_path).write()
    change(path)
    with pytest.raises(TwinError, match=problem):
        twin_of(path)


def test_what_is_no_recording_is_refused(tmp_path):
    with pytest.raises(ReadingError, match="No such file"):
        twin_of(tmp_path / "nowhere")
    with pytest.raises(ReadingError, match=r"has no system_metrics_dataset\.csv; give a run folder, or a file"):
        twin_of(tmp_path)
    (tmp_path / "text.csv").write_text("a,b\nc,d\n")
    with pytest.raises(ReadingError, match=r"text\.csv: "):
        twin_of(tmp_path / "text.csv")


def test_a_window_beyond_the_recording_is_refused(tmp_path):
    with pytest.raises(RecordingError, match="from: is not within the recording"):
        twin_of(made(tmp_path).write(), window=Window(since=60.0))


def test_a_run_without_samples_still_constrains(tmp_path):
    path = made(tmp_path).write()
    (path / "system_metrics_dataset.csv").unlink()
    found = twin_of(path)
    assert found.limits.constraint == "cpus=4"
    assert "what its tests used was not recorded, so the load of others is not known" in found.lines
    assert found.surroundings.around("test_a.py::test_a", None, 0.0) is None


@pytest.fixture
def opened(monkeypatch):
    """The names of the files with samples that were opened, in their order."""
    names = []

    def counted(path):
        names.append(path.name)
        return open_file(path)

    open_file = rotation.open_file
    monkeypatch.setattr(rotation, "open_file", counted)
    return names


def test_the_dataset_of_a_run_is_read_once(tmp_path, opened):
    path = made(tmp_path).write()
    twin_of(path)
    assert opened.count("system_metrics_dataset.csv") == 1
    opened.clear()
    (path / "tests.csv").unlink()
    twin_of(path)
    assert opened.count("system_metrics_dataset.csv") == 1


def test_the_folder_of_a_recorded_server_is_read_once_and_tells_its_machine(tmp_path, opened):
    (tmp_path / "server").mkdir()
    (tmp_path / "server" / "system_metrics_dataset.csv").write_text(SERVER)
    assert peak(twin_of(tmp_path / "server", "cores").schedule.events[0].load) == 0.245
    assert opened.count("system_metrics_dataset.csv") == 1
