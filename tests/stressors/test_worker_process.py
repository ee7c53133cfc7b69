"""Worker processes: what they let go of, and what ends them."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest
from driving import BARE, ROOT, cpu

from pytest_twin.stressors.spec.request import LoadRequest
from pytest_twin.stressors.worker import process
from pytest_twin.stressors.worker.job import Job

linux = pytest.mark.skipif(sys.platform != "linux", reason="what the kernel does there")
posix = pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals")
pytestmark = pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
IDLE = ("job.ready()", "while True: time.sleep(1)")


@pytest.fixture
def launched():
    """Starts workers; those that the test has not reaped are ended."""
    processes = []

    def launch(job: dict, *, fork: bool = True) -> process.ForkedWorker | process.SpawnedWorker:
        processes.append(process.launch(fork=fork))
        processes[-1].begin(LoadRequest.from_json(job))
        return processes[-1]

    yield launch
    for each in processes:
        if psutil.pid_exists(each.pid):
            each.kill()
            each.reap()


@pytest.fixture(params=[pytest.param(True, marks=posix), False], ids=["forked", "spawned"])
def launch(launched, request):
    """Starts a worker, by fork and as on Windows."""
    return lambda job: launched(job, fork=request.param)


def test_a_worker_tells_when_it_is_ready_and_what_it_achieved(launch):
    process = launch(cpu())
    with open(process.reports, "rb", closefd=False) as reports:
        assert set(json.loads(reports.readline())) == {"achieved", "ready"}
        process.stop()
        assert json.loads(reports.read().splitlines()[-1])["achieved"]["cpu_s"] > 0
    assert process.reap() == ""


def test_a_killed_worker_says_what_killed_it(launch):
    process = launch(cpu())
    os.read(process.reports, 1)
    process.kill()
    assert process.reap() in {"killed by SIGKILL", "exit -9", "exit 1"}


@pytest.mark.parametrize(("line", "said"), [("pass", ""), ("os._exit(7)", "exit 7"), ("raise KeyError", "exit 1")])
@posix
def test_its_exit_status_is_what_is_said_of_it(launched, own_stressor, line, said):
    process = launched(own_stressor("ending_stress", line))
    while os.read(process.reports, 1 << 16):
        pass
    assert process.reap() == said


@pytest.mark.parametrize("fork", [pytest.param(True, marks=posix), pytest.param(False)])
def test_a_fault_is_told_in_its_own_words(launched, own_stressor, fork):
    process = launched(own_stressor("faulty_stress", "raise OSError('the disk is full')"), fork=fork)
    with open(process.reports, "rb", closefd=False) as reports:
        assert reports.readline() == b'{"fault": "the disk is full"}\n'
        assert b'{"achieved": ' in reports.read()
    assert process.reap() == ""


@linux
def test_a_forked_worker_holds_none_of_its_owners_files(launched, own_stressor, tmp_path):
    with (tmp_path / "owners").open("w", encoding="ascii") as owners:
        process = launched(own_stressor("idle_stress", *IDLE))
        os.read(process.reports, 1)
        held = {os.readlink(each) for each in Path(f"/proc/{process.pid}/fd").iterdir()}
        process.stop()
        process.reap()
        assert not owners.closed
    assert {each.partition(":")[0] for each in held} == {"pipe"}
    assert len(held) == 1


def in_a_process_of_its_own(*lines: str) -> tuple[int, str]:
    """Exit status and output of a small program, for what ends the process that does it."""
    start = f"import os, sys; sys.path[:0] = [{str(ROOT)!r}]; from pytest_twin.stressors.worker import process"
    program = "\n".join([start, *lines, "print('alive')"])
    done = subprocess.run([*BARE, "-c", program], capture_output=True, text=True, timeout=60, check=False)
    return done.returncode, done.stdout


@linux
def test_a_worker_whose_owner_is_gone_already_ends_at_once():
    assert in_a_process_of_its_own("process._exit_with_parent(1 << 30)") == (1, "")


@linux
def test_a_worker_whose_owner_is_there_goes_on():
    watched = "process._exit_with_parent(os.getppid())"
    assert in_a_process_of_its_own(watched) == (0, "alive\n")


@posix
def test_a_kernel_timer_is_the_last_deadline_of_a_worker(own_stressor, tmp_path):
    deaf = "signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM])"
    request = {**own_stressor("deaf_stress", deaf, *IDLE), "duration": 0.1}
    status, said = in_a_process_of_its_own(
        f"sys.path[:0] = [{str(tmp_path)!r}]",
        "sys.modules['pytest_twin.stressors.worker.job'].GRACE_S = 0.1",
        f"job = process.Job(process.LoadRequest.from_json({request}))",
        f"process._work({request['module']!r}, job, os.open(os.devnull, os.O_WRONLY))",
    )
    assert (status, said) == (-signal.SIGALRM, "")


@posix
def test_where_there_are_no_more_processes_nothing_is_left_open(monkeypatch):
    def no_more() -> int:
        raise BlockingIOError(11, "Resource temporarily unavailable")

    before = os.dup(0)
    os.close(before)
    monkeypatch.setattr(os, "fork", no_more)
    with pytest.raises(BlockingIOError):
        process.launch(fork=True)
    after = os.dup(0)
    os.close(after)
    assert after == before
    assert not signal.pthread_sigmask(signal.SIG_BLOCK, []) & {signal.SIGTERM, signal.SIGINT}


@posix
def test_a_paused_worker_does_nothing_until_it_is_resumed(launched, eventually):
    running = launched(cpu())
    burnt = psutil.Process(running.pid).cpu_times
    os.read(running.reports, 1000)
    running.pause()
    time.sleep(0.1)
    before = burnt().user
    time.sleep(0.5)
    assert burnt().user - before < 0.1
    running.resume()
    eventually(lambda: burnt().user - before >= 0.1)


@posix
def test_a_paused_worker_can_be_stopped(launched):
    running = launched(cpu())
    os.read(running.reports, 1000)
    running.pause()
    running.stop()
    while os.read(running.reports, 1000):
        pass
    assert running.reap() == ""


@posix
def test_no_time_of_a_load_passes_while_it_is_paused():
    began = time.monotonic()
    job = Job(LoadRequest(unit="share", profile=[[0, 0], [1, 1]]))
    job.pause(lambda: time.sleep(0.3))
    assert job.now() - job.began <= time.monotonic() - began - 0.3


@posix
def test_a_descriptor_that_is_kept_may_be_the_first():
    program = (
        "import os; from pytest_twin.stressors.worker.process import close_all_but; "
        "os.close(0); end, other = os.pipe(); "
        "close_all_but(end, other); os.write(other, b'x'); assert (end, os.read(end, 1)) == (0, b'x')"
    )
    subprocess.run([sys.executable, "-c", program], check=True)
