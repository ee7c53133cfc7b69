"""Open files and threads: so many held, as far as there is room."""

from __future__ import annotations

import os
import sys
from types import SimpleNamespace

import psutil
import pytest

from pytest_twin.stressors.kinds import fds, threads
from pytest_twin.stressors.kinds._holder import Holder
from pytest_twin.stressors.spec.request import LoadRequest
from pytest_twin.stressors.system import kernel_tables
from pytest_twin.stressors.system.kernel_tables import Headroom
from pytest_twin.stressors.worker.job import Job

linux = pytest.mark.skipif(sys.platform != "linux", reason="/proc tells of them")
FDS = {"module": "pytest_twin.stressors.kinds.fds", "unit": "count"}
THREADS = {"module": "pytest_twin.stressors.kinds.threads", "unit": "count"}


@pytest.mark.parametrize("name", ["fds", "threads"])
def test_it_runs_from_a_bare_checkout_and_says_what_it_did(run, name):
    status, said, errors = run(f"{name}_stress.py", "--count", 50, "--duration", 0.2)
    assert (status, errors) == (0, "")
    what = "files" if name == "fds" else "threads"
    assert said.startswith(f"{what} load ready: 1 process(es)\n{what} load ended (duration): ")


@linux
def test_open_files_are_really_open(supervisor):
    ready = supervisor.applied(**FDS, profile=[[0, 500]])
    assert 500 <= psutil.Process(ready["pids"][0]).num_fds() < 550
    assert supervisor.stopped()["achieved"]["peak_open_files"] == 500


@linux
def test_more_than_one_process_may_have_is_held_by_several(supervisor, monkeypatch):
    count = kernel_tables.files_per_worker() + 5
    ready = supervisor.applied(**FDS, profile=[[0, count]])
    assert len(ready["pids"]) == 2
    assert supervisor.stopped()["achieved"]["open_files"] == count


@linux
def test_threads_are_really_there_and_idle(supervisor):
    ready = supervisor.applied(**THREADS, profile=[[0, 200]])
    worker = psutil.Process(ready["pids"][0])
    assert worker.num_threads() == 201
    assert supervisor.stopped()["achieved"]["threads"] == 200
    assert not worker.is_running()


@linux
def test_threads_follow_a_profile_up_and_down(supervisor, eventually):
    def peak() -> int:
        ready = supervisor.applied(**THREADS, profile=[[0, 0], [0.1, 100], [0.3, 100], [0.4, 10]])
        worker = psutil.Process(ready["pids"][0])
        eventually(lambda: worker.num_threads() == 11)
        return supervisor.stopped()["achieved"]["peak_threads"]

    assert any(peak() == 100 for _ in range(5))  # one that has no CPU meanwhile goes past it


@linux
def test_a_thread_that_is_let_go_ends(eventually):
    def running() -> set[str]:
        return set(os.listdir("/proc/self/task"))

    before, idle = running(), threads.IdleThreads()
    for _ in range(5):
        idle.start()
    eventually(lambda: len(running() - before) >= 5)
    started = running() - before
    for _ in range(5):
        idle.end()
    eventually(lambda: len(running() & started) <= len(started) - 5)


@pytest.fixture
def holder():
    """Holds things of which there are 100 in all, of which 10 are reserved for other processes."""

    def make(strict=False, workers=1, index=0, target=200.0):
        held = []
        job = Job(LoadRequest(unit="count", profile=[(0, target)], options={"strict": strict}), index)
        job.workers = workers
        job.tick = lambda: None  # once in a while it tells of CPU seconds
        made = Holder(
            job, "open_things", lambda: held.append(1), held.pop,
            lambda _: Headroom(90 - len(held), "10 of 100 are reserved for other processes"),
        )  # fmt: skip
        return SimpleNamespace(holder=made, held=held, achieved=job.achieved)

    return make


def test_it_stops_where_others_need_the_rest(holder):
    made = holder()
    made.holder.resize(200)
    assert made.achieved == {
        "open_things": 90, "peak_open_things": 90,
        "reduced": "stopped at 90 of 200 open things: 10 of 100 are reserved for other processes",
    }  # fmt: skip


def test_it_fails_there_where_less_is_not_enough(holder):
    with pytest.raises(
        OSError, match=r"^stopped at 90 of 200 open things: 10 of 100 are reserved for other processes$"
    ):
        holder(strict=True).holder.resize(200)


def test_it_gives_back_what_is_no_longer_wanted(holder):
    made = holder()
    made.holder.resize(50)
    made.holder.resize(20)
    assert len(made.held) == 20
    assert made.achieved == {"open_things": 20, "peak_open_things": 50}


def test_the_parts_of_all_workers_are_the_number_itself(holder):
    parts = [holder(workers=3, index=index, target=200.0).holder.target(1.0) for index in range(3)]
    assert parts == [67, 67, 66]


@pytest.fixture
def kernel(monkeypatch):
    """A kernel whose files say what the test has them say, on a machine with memory enough."""
    files = {}
    monkeypatch.setattr(kernel_tables, "text", lambda folder, name: files.get(f"{folder}/{name}", ""))
    monkeypatch.setattr(kernel_tables, "number", lambda folder, name: files.get(f"{folder}/{name}"))
    monkeypatch.setattr(kernel_tables, "folders", lambda controller: ["/cgroup"] if not controller else [])
    monkeypatch.setattr(kernel_tables, "available_memory", lambda: 1 << 40)
    monkeypatch.setattr(kernel_tables, "usable_memory", lambda: 1 << 40)
    monkeypatch.setattr(kernel_tables, "_user_limit", lambda: None)
    return files


def test_a_tenth_of_the_systems_open_files_is_left_free(kernel):
    kernel.update({"/proc/sys/fs/file-max": 20_000, "/proc/sys/fs/file-nr": "3000\t0\t20000\n"})
    assert kernel_tables.file_headroom() == (15_000, "2000 of the system's 20000 are reserved for other processes")


def test_a_system_without_a_limit_of_open_files_is_limited_by_its_memory(kernel):
    kernel.update({"/proc/sys/fs/file-max": 2**63 - 1, "/proc/sys/fs/file-nr": "3000\t0\t9223372036854775807\n"})
    assert kernel_tables.file_max() is None
    assert kernel_tables.file_headroom().left > 1e6
    with pytest.raises(ValueError, match="no limit on open files that a share could refer to; give a number"):
        fds.workers(Job(LoadRequest(unit="share", profile=[(0, 0.5)])))


@pytest.mark.parametrize(
    ("files", "left", "whose"),
    [
        ({"/proc/sys/kernel/threads-max": 10_000}, 8_000, "1000 of the system's threads-max 10000"),
        ({"/proc/sys/kernel/pid_max": 5_000}, 3_500, "500 of the system's pid_max 5000"),
        ({"/cgroup/pids.max": 400, "/cgroup/pids.current": 100}, 172, "128 of the cgroup's 400"),
    ],
)
def test_threads_stop_short_of_every_limit(kernel, files, left, whose):
    kernel.update({"/proc/loadavg": "0.1 0.2 0.3 3/1000 4242\n", **files})
    assert kernel_tables.thread_headroom(0, None) == (left, f"{whose} are reserved for other processes")


def test_threads_stop_short_of_the_users_limit(kernel, monkeypatch):
    monkeypatch.setattr(kernel_tables, "_user_limit", lambda: 4_000)
    assert kernel_tables.thread_headroom(100, 500).left == 3_000


def test_memory_that_others_need_is_left_to_them(kernel, monkeypatch):
    monkeypatch.setattr(kernel_tables, "available_memory", lambda: 512 << 20)
    monkeypatch.setattr(kernel_tables, "usable_memory", lambda: 10240 << 20)
    assert kernel_tables.file_headroom() == (0, "512 MiB of memory are reserved for other processes")


def test_more_files_than_the_processes_could_hold_are_refused(monkeypatch):
    monkeypatch.setattr(kernel_tables, "files_per_worker", lambda: 100)
    with pytest.raises(ValueError, match=r"^30000 open files are too many \(100 per process\); give at most 25600$"):
        fds.workers(Job(LoadRequest(unit="count", profile=[(0, 30_000)])))
