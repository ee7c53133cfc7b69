"""A stressor, the supervisor or the sampler dies, or cannot start."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time

import pytest
from runs import seconds_until, seconds_until_gone

from pytest_twin._system import child_process
from pytest_twin.loads.parser import parse_load
from pytest_twin.loads.registry import kinds
from pytest_twin.recording.recording import Recording
from pytest_twin.run_folder.folder import RunFolder
from pytest_twin.run_folder.layout import ANNOTATIONS
from pytest_twin.telemetry.sampler_config import SamplerConfig

pytestmark = [
    pytest.mark.fault("helpers"),
    pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals"),
]

LOAD = parse_load({"threads": 1}, kinds())


@pytest.fixture
def recording(tmp_path):
    with Recording(RunFolder(tmp_path / "report"), SamplerConfig(0.1)) as recording:
        yield recording


def told(recording) -> list[tuple[str, str]]:
    return [(row["event"], row["type"]) for row in recording.folder.rows(ANNOTATIONS) if row["target"]]


def kill(recording):
    recording._supervisor._process.kill()
    recording._supervisor._process.wait()


def test_a_supervisor_that_dies_aborts_its_loads_with_the_reason_and_the_next_load_gets_another(recording):
    with recording.under_load(LOAD) as (applied,):
        kill(recording)
        applied._ended.wait(60)
    assert applied.failure == "the supervisor died (exit status -9)"
    with recording.under_load(LOAD) as (applied,):
        assert applied.ready_at is not None
    assert applied.failure == ""
    assert told(recording) == [("start", "threads"), ("abort", "threads"), ("start", "threads"), ("end", "threads")]


def test_a_supervisor_that_died_between_two_loads_is_no_matter(recording, eventually):
    for _ in range(3):
        with recording.under_load(LOAD) as (applied,):
            assert applied.ready_at is not None
        kill(recording)
    eventually(lambda: recording._supervisor.pid is None)
    assert told(recording) == 3 * [("start", "threads"), ("end", "threads")]


def test_a_supervisor_that_is_killed_while_it_answers_holds_up_nobody(recording):
    for _ in range(5):
        recording._supervisor.start()
        process = recording._supervisor._process
        applied = recording.apply(LOAD.parts[0])
        process.kill()
        applied.wait_ready()
        applied.stop()
    assert {event for event, _ in told(recording)} <= {"start", "end", "abort"}


def test_a_supervisor_that_cannot_start_aborts_the_load_with_the_reason(recording, monkeypatch):
    monkeypatch.setattr(child_process, "PYTHON", "/no/such/python")
    with recording.under_load(LOAD) as (applied,):
        assert applied.ready_at is None
    assert applied.failure == "the supervisor cannot be started: No such file or directory"
    assert told(recording) == [("abort", "threads")]


def test_a_load_without_a_supervisor_is_a_warning_and_the_test_goes_on(run):
    body = (
        "import pytest\nfrom pytest_twin.loads.supervisor_client import SupervisorClient\n"
        "def gone(*_): raise FileNotFoundError(2, 'No such file or directory')\n"
        "SupervisorClient._spawn = gone\n"
        "@pytest.mark.stress(cpu=1)\ndef test_it(): pass\n"
    )
    _, status, said = run(body)
    assert status == 0
    assert "cpu=1: the supervisor cannot be started: No such file or directory" in said


def test_a_sampler_that_cannot_start_is_one_usage_error_before_any_test(run, tmp_path):
    (tmp_path / "conftest.py").write_text("import sys\nsys.executable = '/no/such/python'\n")
    left, status, said = run("def test_it(): open('it-ran', 'w').close()", "--twin")
    assert status == pytest.ExitCode.USAGE_ERROR
    assert "ERROR: the sampler cannot be started: No such file or directory\n" in said
    assert "Traceback" not in said
    assert not (left.folder / "it-ran").exists()


# To wait in vain takes two seconds instead of thirty, and only that: who is merely slow has as long as ever.
SHORTER = """import psutil
from pytest_twin._system.response_timeout import ResponseTimeout
lasts = ResponseTimeout.lasts

def is_stopped(process):
    try:
        return process.status() == psutil.STATUS_STOPPED
    except psutil.Error:  # it ended meanwhile
        return False

def lasts_shorter(self, step_s, limit_s):
    is_in_vain = any(map(is_stopped, psutil.Process().children()))
    return lasts(self, 15 * step_s if is_in_vain else step_s, limit_s)

ResponseTimeout.lasts = lasts_shorter
"""
STOPS = """import psutil, pytest, signal, time

def stop(name):
    for process in psutil.Process().children():
        if any(name in word for word in (process.name(), *process.cmdline())):
            process.suspend()

@pytest.mark.stress(cpu=1)
def test_stops(): stop({name!r})

@pytest.mark.stress(cpu=1)
def test_next(): time.sleep(0.1)
"""


@pytest.mark.slow
def test_a_supervisor_that_is_stopped_for_ever_is_told_of_and_its_load_is_aborted(run, tmp_path):
    (tmp_path / "conftest.py").write_text(SHORTER)
    left, status, said = run(STOPS.format(name="twin-stressors"), "-W", "default")
    assert status == 0, said
    assert (
        said.count("\ntwin: the supervisor of the loads has not answered for 15 s; it will be killed after 30 s\n") == 1
    )
    assert "cpu=1: the supervisor did not answer for 30 s" in said
    assert left.loads("abort") == [("cpu", "1")]
    assert left.loads("end") == [("cpu", "1")]
    seconds_until_gone(left)


@pytest.mark.parametrize("more", [(), pytest.param(("-p", "xdist.plugin", "-n1"), marks=pytest.mark.slow)], ids=str)
def test_a_sampler_that_is_stopped_for_ever_did_not_answer(run, tmp_path, more):
    (tmp_path / "conftest.py").write_text(SHORTER)
    body = STOPS.format(name="sampler_main.py")
    if more:
        body = body.replace("psutil.Process()", "psutil.Process().parent()")
    left, status, said = run(body, "--twin", "-W", "default", *more)
    assert status == 0, said
    assert "\ntwin: the sampler has not answered for 15 s; it will be killed after 30 s\n" in said
    assert "the sampler did not answer for 30 s" in said
    assert "died" not in said
    seconds_until_gone(left)


@pytest.mark.slow
def test_ctrl_c_ends_a_run_whose_helpers_are_stopped_for_ever(start):
    run = start(
        "import pytest, time\n@pytest.mark.stress(cpu=1)\ndef test_it():\n open('begun', 'w'); time.sleep(600)\n"
    )
    seconds_until((run.folder / "begun").exists)
    for role in ("supervisor", "sampler"):
        (process,) = run.processes(role)
        process.suspend()
    run.process.send_signal(signal.SIGINT)
    # both are waited for, for two seconds each; without an interrupt it would be thirty for each
    assert seconds_until(lambda: run.process.poll() is not None) < 28
    assert run.process.returncode == pytest.ExitCode.INTERRUPTED
    assert run.loads("abort") == [("cpu", "1")]
    seconds_until_gone(run)


@pytest.mark.slow
def test_a_run_that_was_stopped_itself_does_not_blame_its_supervisor(start):
    body = """import os, pytest, time

@pytest.mark.stress(mem="1MiB")
def test_it():
    open("begun", "w").close()
    while not os.path.exists("enough"): time.sleep(0.01)
"""
    run = start(SHORTER + body, stdout=subprocess.PIPE)
    seconds_until((run.folder / "begun").exists)
    run.process.send_signal(signal.SIGSTOP)
    (process,) = run.processes("supervisor")
    process.suspend()
    time.sleep(4)
    process.resume()
    run.process.send_signal(signal.SIGCONT)
    (run.folder / "enough").touch()
    status, said, _ = run.wait()
    assert status == 0
    assert "not answer" not in said
    assert run.loads("end") == [("memory", "1MiB")]


CHANGES = """import os, psutil, pytest, time

def is_supervisor(process):
    try:
        return process.name() == "twin-stressors" and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:  # it was reaped meanwhile
        return False

def supervisors():
    return list(filter(is_supervisor, psutil.Process().children()))

def supervisor():
    for _ in range(6000):  # it gets its name when it has begun
        for each in supervisors(): return each
        time.sleep(0.01)

def test_changes():
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:1])
    os.umask(0o077)
    os.chdir("/")
    first = supervisor()
    first.{end}
    # a load that is asked for before it has ended is its last one; a zombie may still have threads that end
    while {is_killed} and psutil.pid_exists(first.pid): pass

@pytest.mark.stress(cpu=1)
def test_next():
    assert supervisor().cwd() == {cwd!r}
    assert len(supervisor().cpu_affinity()) == {cpus}
"""


@pytest.mark.skipif(sys.platform != "linux", reason="CPU affinity")
@pytest.mark.parametrize("end", ["pid", "kill()"])
@pytest.mark.parametrize("more", [(), pytest.param(("-p", "xdist.plugin", "-n1"), marks=pytest.mark.slow)], ids=str)
def test_a_load_has_the_surroundings_of_the_run_whatever_an_earlier_test_did(run, tmp_path, end, more):
    body = CHANGES.format(end=end, is_killed=end == "kill()", cwd=str(tmp_path), cpus=len(os.sched_getaffinity(0)))
    _, status, said = run(body, *more)
    assert status == 0, said


LEAKS = """import os, pytest, threading

def threads():
    return {*threading.enumerate(), *os.listdir("/proc/self/task")}

@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_protocol(item):
    before = threads()
    result = yield
    assert threads() <= before
    return result
"""


@pytest.mark.skipif(sys.platform != "linux", reason="the kernel's list of threads")
@pytest.mark.parametrize(
    ("body", "flags"),
    [
        ("import pytest\n@pytest.mark.stress(cpu=1)\ndef test_it(): pass\n", ()),
        ("def test_it(stress_mem): stress_mem('1MiB')\n", ()),
        ("def test_it(twin_logger): pass\n", ()),
        ("def test_it(): pass\n", ("--twin",)),
        ("def test_it(): pass\n", ("--twin-schedule=plan.json",)),
        ("import pytest\n@pytest.mark.twin_budget(slowdown=99.0, under='cpu=1', pairs=6)\ndef test_it(): pass\n", ()),
    ],
    ids=["mark", "fixture", "logger", "option", "schedule", "budget"],
)
def test_no_thread_of_ours_begins_within_a_test(run, tmp_path, body, flags):
    (tmp_path / "conftest.py").write_text(LEAKS)
    (tmp_path / "plan.json").write_text('{"events": [{"start": "0s", "duration": "1s", "cpu": "10%"}]}')
    _, status, said = run(body, *flags)
    assert status == 0, said


def test_a_recorded_suite_that_asks_for_no_load_has_no_supervisor(run):
    body = "import psutil\ndef test_it():\n assert not [p for p in psutil.Process().children() if 'twin' in p.name()]\n"
    _, status, said = run(body, "--twin")
    assert status == 0, said


def test_loads_need_no_writable_folder_but_the_report_directory(run, tmp_path, alone):
    body = (
        "import pytest, pathlib, time\n@pytest.mark.stress(cpu=1, mem='1MiB', disk='1MB/s')\ndef test_it():\n"
        "    time.sleep(0.5)\n"
        "    for folder in ('/tmp', '/dev/shm', '.'):\n"
        "        with pytest.raises(OSError): pathlib.Path(folder, 'spam').touch()\n"
    )
    report = tmp_path / "twin-report"
    report.mkdir(mode=0o700)
    mount = f"mount --bind {report} {report}; for each in / /dev/shm; do mount -o remount,bind,ro $each; done"
    before = [*alone, f'{mount}; exec "$@"', "sh"]
    left, status, said = run(body, "--twin", "--capture=sys", before=before)
    assert status == 0, said
    assert sorted(left.loads("end")) == [("cpu", "1"), ("disk", "1MB/s"), ("memory", "1MiB")]
