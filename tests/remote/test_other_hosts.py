"""Workers of pytest-xdist on other hosts: they record there, and hand their rows over while they run."""

from __future__ import annotations

import csv
import json
import subprocess
import sys
import time
from collections import Counter

import pytest
from constraining import BURN, need
from other_hosts import HANDING_OVER, LATE, Line, Machine

import pytest_twin

pytest.importorskip("xdist")
pytestmark = [
    pytest.mark.usefixtures("few_plugins"),
    pytest.mark.skipif(sys.platform == "win32", reason="execnet's server of sockets is for POSIX"),
]
HOST = "127.0.0.1"
SUITE = """
    import time, pytest

    @pytest.mark.stress(cpu=1)
    def test_marked(twin_logger):
        until = time.monotonic() + 60
        while not twin_logger.peak("stress_cpu_percent") > 1 and time.monotonic() < until: time.sleep(0.1)

    @pytest.mark.parametrize("number", range(3))
    def test_plain(number, twin_logger):
        twin_logger.annotate(f"note {number}")
        time.sleep(0.3)
"""


@pytest.fixture
def machine(pytester, tmp_path):
    """Makes other machines that have the tests of the inner run, and no other file of it."""
    made = []

    def make() -> Machine:
        made.append(Machine(tmp_path / f"machine{len(made)}", pytester.path))
        return made[-1]

    yield make
    for each in made:
        each.stop()


@pytest.fixture
def line(tmp_path):
    """Makes a line to a machine that is cut as soon as the file `cut` is there."""
    made = []

    def make(to: Machine) -> Line:
        made.append(Line(to.port, tmp_path / "cut"))
        return made[-1]

    yield make
    for each in made:
        each.stop()


def samples_of(left, host: str = HOST) -> list[dict[str, str]]:
    """The samples of another host."""
    return left.rows(f"hosts/{host}/system_metrics_dataset.csv")


@pytest.mark.slow
def test_metrics_for_prometheus_tell_the_hosts_apart(pytester, machine, left):
    pytest.importorskip("prometheus_client")
    pytester.makepyfile(SUITE)
    flags = ("--twin-prometheus-textfile=run.prom", "--twin-prometheus-keep")
    pytester.runpytest_subprocess("--dist=load", machine().spec(), *flags).assert_outcomes(passed=4)
    lines = (pytester.path / "run.prom").read_text().splitlines()
    values = dict(line.rpartition(" ")[::2] for line in lines if not line.startswith("#"))
    assert float(values[f'pytest_twin_tests_total{{host="{HOST}",outcome="passed"}}']) == 4
    assert float(values['pytest_twin_tests_total{host="main",outcome="passed"}']) == 0
    ends = [name for name in values if name.startswith("pytest_twin_loads_total{")]  # end, or abort if it was starved
    assert [f'host="{HOST}",kind="cpu"' in name for name in ends] == [True]
    cpu_seconds = float(values[f'pytest_twin_stress_cpu_seconds_total{{host="{HOST}"}}'])
    shares = [float(row["stress_cpu_percent"] or 0) for row in samples_of(left)]
    assert (cpu_seconds > 0) == (max(shares) > 0)


@pytest.mark.slow
def test_a_worker_on_another_host_samples_there_and_every_row_names_it(pytester, left, machine, eventually):
    pytester.makepyfile(SUITE)
    other = machine()
    result = pytester.runpytest_subprocess("--twin", "--dist=load", other.spec())
    result.assert_outcomes(passed=4)
    result.stdout.fnmatch_lines([f"{len(samples_of(left))} samples on {HOST}, 4 attempts of tests"])

    assert {row["host"] for row in left.tests} == {HOST}
    assert {row["host"] for row in left.events} == {HOST}
    assert {row["worker"] for row in left.events} == {"gw0"}
    assert {row["host"] for row in samples_of(left)} == {HOST}
    assert sum(row["event"] == "note" for row in left.events) == 3
    first, last = (float(samples_of(left)[at]["elapsed_s"]) for at in (0, -1))
    for row in left.tests:  # one clock
        assert float(row["elapsed_s"]) < last
        assert float(row["elapsed_s"]) + float(row["duration_s"]) > first
    (load,) = [row for row in left.load_rows("end") if row["type"] == "cpu"]
    assert load["achieved"].endswith("cores")
    assert any(float(row["stress_cpu_percent"] or 0) > 1 for row in samples_of(left))
    assert all(row["tree_peak_memory_MB"] for row in left.tests)
    assert not (other.home / "twin-report").exists()
    assert list(left.folder.glob("*.part-*")) == []
    eventually(other.is_clean)


@pytest.mark.slow
def test_what_is_known_of_another_host_stands_in_one_file(pytester, left, machine):
    pytester.makepyfile(SUITE)
    pytester.runpytest_subprocess("--twin", "--dist=load", machine().spec()).assert_outcomes(passed=4)
    (host,) = (known := json.loads((left.folder / "hosts.json").read_text()))
    assert host == HOST
    assert known[host]["address"].startswith(f"{HOST}:")
    assert known[host]["fingerprint"] == json.loads((left.folder / "hosts" / HOST / "fingerprint.json").read_text())
    first, last = known[host]["workers"]["gw0"]["clock"]
    assert first["at_s"] < last["at_s"]
    for told in (first, last):  # it is the same clock, which nobody has told them
        assert abs(told["offset_s"]) <= told["uncertainty_s"] + 0.001
        assert told["uncertainty_s"] > 0


@pytest.mark.slow
def test_the_folder_of_a_test_is_sliced_from_the_samples_of_its_host(pytester, left, machine):
    pytester.makepyfile(SUITE)
    pytester.runpytest_subprocess("--twin", "--dist=load", machine().spec(), "--tx=popen").assert_outcomes(passed=4)
    assert {row["host"] for row in left.tests} == {"", HOST}
    (row,) = [row for row in left.tests if row["nodeid"].endswith("test_marked")]
    assert {each.get("host", "") for each in left.rows(f"{row['folder']}/system_metrics_dataset.csv")} == {row["host"]}
    assert {each["host"] for each in left.rows(f"{row['folder']}/annotations.csv")} == {row["host"]}


@pytest.mark.slow
def test_two_workers_of_a_host_have_one_sampler_and_take_turns(pytester, left, machine, eventually, tmp_path):
    pytester.makepyfile(f"""
        import os, psutil, pytest, time

        def samplers():
            lines = [" ".join(process.info["cmdline"] or []) for process in psutil.process_iter(["cmdline"])]
            return [line for line in lines if "sampler_main.py" in line and "{tmp_path}/machine" in line]

        @pytest.mark.parametrize("number", range(6))
        def test_plain(number, twin_logger):
            until = time.monotonic() + 60
            while not len(twin_logger.samples()) and time.monotonic() < until: time.sleep(0.1)
            if number == 0:  # until the sampler has seen both workers, which are there when the tests begin
                while not twin_logger.peak("tests_process_count") > 1 and time.monotonic() < until: time.sleep(0.1)
            assert len(samplers()) == 1
            assert len(twin_logger.samples()) > 0

        @pytest.mark.stress(cpu=1)
        def test_marked(): time.sleep(0.4)
    """)
    one, two = machine(), machine()
    pytester.runpytest_subprocess("--twin", "--dist=load", one.spec(), two.spec()).assert_outcomes(passed=7)
    assert {row["worker"] for row in left.tests} == {"gw0", "gw1"}
    assert {row["host"] for row in left.tests} == {HOST}
    assert sorted(json.loads((left.folder / "hosts.json").read_text())[HOST]["workers"]) == ["gw0", "gw1"]
    spans = {row["nodeid"]: (float(row["elapsed_s"]), float(row["duration_s"])) for row in left.tests}
    began, lasted = spans.pop("test_two_workers_of_a_host_have_one_sampler_and_take_turns.py::test_marked")
    beside = {each: min(began + lasted, begin + last) - max(began, begin) for each, (begin, last) in spans.items()}
    # the times of a host are known to some milliseconds, on a busy machine to more
    assert {each: overlap_s for each, overlap_s in beside.items() if overlap_s > 0.2} == {}
    counts = Counter(int(row["tests_process_count"]) for row in samples_of(left))
    assert counts.most_common(1)[0][0] in {1, 2}  # each of both is counted once
    assert 2 in counts
    last_sample = float(samples_of(left)[-1]["elapsed_s"])
    assert all(begin < last_sample for begin, _ in spans.values())
    eventually(lambda: one.is_clean() and two.is_clean())


@pytest.mark.slow
def test_a_worker_that_asks_only_by_a_marker_is_recorded_too(pytester, left, machine):
    pytester.makepyfile(SUITE)
    pytester.runpytest_subprocess("--dist=load", machine().spec()).assert_outcomes(passed=4)
    assert len(left.tests) == 4
    assert samples_of(left)


@pytest.mark.slow
def test_workers_on_other_hosts_that_ask_for_nothing_record_nothing(pytester, machine, eventually):
    pytester.makepyfile("def test_it(): pass")
    other = machine()
    pytester.runpytest_subprocess("--dist=load", other.spec()).assert_outcomes(passed=1)
    assert not (pytester.path / "twin-report").exists()
    eventually(other.is_clean)


@pytest.mark.slow
@pytest.mark.parametrize("anchor", ["session", "test"])
def test_a_schedule_is_played_on_the_other_host_which_has_no_file_of_it(pytester, left, machine, anchor):
    (pytester.path / "busy.csv").write_text("timestamp,value\n2026-01-01T00:00:00Z,30\n2026-01-01T00:00:01Z,30\n")
    event = {"id": "spike", "duration": "500ms", "cpu": 1}
    replay = {"id": "again", "duration": "500ms", "replay": "busy.csv"}
    pytester.makefile(".json", plan=json.dumps({"anchor": anchor, "events": [event, replay]}))
    pytester.makepyfile("import time\ndef test_it(): time.sleep(0.8)")
    pytester.runpytest_subprocess("--dist=load", machine().spec(), "--twin-schedule=plan.json").assert_outcomes(
        passed=1
    )
    ended = [row["host"] for row in left.load_rows("end")]
    assert sorted(ended) == (["", "", HOST, HOST] if anchor == "session" else [HOST, HOST])
    ids = [row["id"] for row in left.load_rows("end")]
    assert len(set(ids)) == len(ids)


CONSTRAINED = f"""{BURN}
import pytest

@pytest.mark.constrain(cpu=0.25)
def test_marked(): assert is_within(0.25, cpu_s=0.3)

def test_plain(): assert is_within(0.5, cpu_s=0.3)
"""


@pytest.mark.slow
def test_a_worker_on_another_host_is_constrained_there(pytester, left, machine):
    need(cpu="0.5")
    pytester.makepyfile(CONSTRAINED)
    words = ["--dist=load", machine().spec(), "--twin-constrain", "cpu=0.5"]
    pytester.runpytest_subprocess(*words).assert_outcomes(passed=2)
    rows = {row["nodeid"].rpartition("::")[2]: row for row in left.tests}
    assert {(row["host"], row["worker"]) for row in rows.values()} == {(HOST, "gw0")}
    assert "0.25" in rows["test_marked"]["constraint"]
    assert rows["test_plain"]["constraint"] == "cpu=0.5"


@pytest.mark.slow
@pytest.mark.fault("hosts")
def test_a_worker_that_crashes_on_another_host_keeps_what_it_had_handed_over(pytester, left, machine, eventually):
    pytester.makepyfile(handing_over=HANDING_OVER.format(report=str(left.folder)))
    pytester.makepyfile(f"""
        import os, pytest
        from handing_over import wait_until_handed_over

        def test_before(twin_logger): twin_logger.annotate("before")

        @pytest.mark.stress(cpu=1)
        def test_dies():
            wait_until_handed_over({HOST!r}, rows=10)
            os._exit(3)
    """)
    other = machine()
    result = pytester.runpytest_subprocess("--twin", "--dist=load", other.spec(), "--twin-host-timeout=10s")
    result.assert_outcomes(passed=1, failed=1)
    result.stdout.fnmatch_lines([f"*twin: {HOST}:{other.port} does not respond; no new worker is started there"])
    outcomes = {row["nodeid"].partition("::")[2]: (row["outcome"], row["host"]) for row in left.tests}
    assert outcomes == {"test_before": ("passed", HOST), "test_dies": ("crashed", HOST)}
    assert [row["type"] for row in left.events if row["event"] == "abort"] == ["cpu", "test"]
    assert len(samples_of(left)) > 5
    eventually(other.is_clean)


CUT = """
    import pathlib, time, pytest
    from handing_over import wait_until_handed_over

    def test_before(): time.sleep(0.2)

    @pytest.mark.stress(cpu=1)
    def test_cut():
        wait_until_handed_over({host!r})
        pathlib.Path({cut!r}).touch()
        time.sleep(120)

    @pytest.mark.parametrize("number", range(6))
    def test_after(number): time.sleep(0.2)
"""


def make_cut(pytester, left, tmp_path) -> None:
    """Make the files of a suite that has its own line cut, once the controller has enough samples."""
    pytester.makepyfile(handing_over=HANDING_OVER.format(report=str(left.folder)))
    pytester.makepyfile(CUT.format(host=HOST, cut=str(tmp_path / "cut")))


@pytest.mark.slow
@pytest.mark.fault("hosts")
def test_a_host_that_is_cut_off_fails_its_test_and_the_run_ends(pytester, left, machine, line, tmp_path, eventually):
    make_cut(pytester, left, tmp_path)
    other = machine()
    began = time.monotonic()
    result = pytester.runpytest_subprocess(
        "--twin", "--dist=load", other.spec(line(other).port), "--twin-host-timeout=10s"
    )
    result.assert_outcomes(passed=1, failed=1)
    assert time.monotonic() - began < 110  # otherwise it would wait for the test
    result.stdout.fnmatch_lines(["*worker 'gw0' crashed while running '*::test_cut'*"])
    result.stdout.fnmatch_lines([f"*no worker is left to run the remaining tests: {HOST}:* does not respond*"])
    outcomes = {row["nodeid"].partition("::")[2]: (row["outcome"], row["host"]) for row in left.tests}
    assert outcomes == {"test_before": ("passed", HOST), "test_cut": ("crashed", HOST)}
    (note,) = [row for row in left.events if row["event"] == "note"]
    assert f"{HOST} did not respond for" in note["detail"]
    (load,) = [row for row in left.events if (row["type"], row["event"]) == ("cpu", "start")]
    assert sum(float(row["elapsed_s"]) > float(load["elapsed_s"]) for row in samples_of(left)) > 3
    assert "given_up_at_s" in json.loads((left.folder / "hosts.json").read_text())[HOST]["workers"]["gw0"]
    eventually(other.is_clean)  # it has noticed by itself
    assert other.process.wait(60) is not None


@pytest.mark.slow
@pytest.mark.fault("hosts")
def test_the_tests_of_a_host_that_is_cut_off_are_run_by_the_others(pytester, left, machine, line, tmp_path):
    make_cut(pytester, left, tmp_path)
    pytester.makeconftest(LATE.format(there=str(tmp_path / "there")))
    gone = machine()
    specs = [gone.spec(line(gone).port), "--tx=popen//env:LATE=1"]
    result = pytester.runpytest_subprocess(
        "--twin", "--dist=load", *specs, "--twin-host-timeout=10s", "-k", "not before"
    )
    result.assert_outcomes(passed=6, failed=1, deselected=0)
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    ran = {row["nodeid"].partition("::")[2]: (row["outcome"], row["host"]) for row in left.tests}
    assert ran.pop("test_cut") == ("crashed", HOST)
    assert ran == {f"test_after[{number}]": ("passed", "") for number in range(6)}


@pytest.mark.slow
@pytest.mark.fault("hosts")
def test_a_test_that_lets_no_thread_of_its_worker_run_is_told_as_crashed(pytester, left, machine):
    pytester.makepyfile(handing_over=HANDING_OVER.format(report=str(left.folder)))
    pytester.makepyfile(f"""
        import ctypes, time
        from handing_over import wait_until_handed_over

        def test_before(): time.sleep(1)

        def test_is_stuck():
            wait_until_handed_over({HOST!r}, rows=20)  # and what came before
            ctypes.PyDLL(None).sleep(100)  # which keeps the lock of the interpreter
    """)
    result = pytester.runpytest_subprocess("--twin", "--dist=load", machine().spec(), "--twin-host-timeout=10s")
    result.assert_outcomes(passed=1, failed=1)
    before, stuck = sorted(left.tests, key=lambda row: float(row["elapsed_s"]))
    assert (before["nodeid"].partition("::")[2], before["outcome"]) == ("test_before", "passed")
    assert stuck["nodeid"].partition("::")[2] == "test_is_stuck"
    assert (stuck["outcome"], stuck["worker"], stuck["host"], stuck["attempt"]) == ("crashed", "gw0", HOST, "1")
    assert (stuck["call_s"], stuck["cpu_user_s"], stuck["peak_memory_MB"]) == ("", "", "")
    assert float(stuck["elapsed_s"]) >= float(before["elapsed_s"]) + float(before["duration_s"])
    assert 2 < float(stuck["duration_s"]) < 95
    told = [(row["event"], row["host"]) for row in left.events if row["test"] == stuck["nodeid"]]
    assert told == [("start", HOST), ("abort", HOST)]


ENDLESS = """
    import pytest, time

    @pytest.mark.stress(cpu=1)
    def test_it(): time.sleep(120)
"""


@pytest.mark.slow
@pytest.mark.fault("hosts")
def test_a_controller_that_is_killed_leaves_nothing_on_the_other_host(pytester, left, machine, eventually):
    pytester.makepyfile(ENDLESS)
    other = machine()
    controller = pytester.popen([sys.executable, "-m", "pytest", "--twin", "--dist=load", other.spec()])
    eventually(lambda: [path for path in left.folder.glob("annotations.part-*") if ",cpu," in path.read_text()])
    eventually((left.folder / "hosts" / HOST / "system_metrics_dataset.csv").exists)
    assert other.processes
    controller.kill()
    controller.wait()
    eventually(other.is_clean, within=60)
    assert samples_of(left)
    for stream in (controller.stdout, controller.stderr):
        stream.close()


@pytest.mark.slow
def test_a_run_with_other_hosts_is_opened_by_everything_that_opens_runs(pytester, left, machine):
    pytester.makepyfile(SUITE)
    pytester.runpytest_subprocess("--twin", "--dist=load", machine().spec()).assert_outcomes(passed=4)
    for command in ("report", "trace"):
        done = subprocess.run(
            [sys.executable, "-m", "pytest_twin", command, left.folder], capture_output=True, text=True, check=False
        )
        assert (done.returncode, done.stderr) == (0, "")
    run = pytest_twin.load(left.folder)
    assert run.problems == ()
    assert set(run.tests["host"]) == {HOST}
    assert set(run.samples["host"].dropna()) == {HOST}
    with (left.folder / "hosts" / HOST / "system_metrics_dataset.csv").open(newline="") as file:
        assert sum(run.samples["host"] == HOST) == len(list(csv.DictReader(file)))
