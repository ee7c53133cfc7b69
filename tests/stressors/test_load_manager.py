"""The supervisor as a real process, and its loads in this process."""

from __future__ import annotations

import json
import os
import re
import signal
import sys
import time
from contextlib import suppress
from pathlib import Path

import psutil
import pytest
from driving import BARE, ROOT, SOURCES, Supervisor, cpu, light, without_freezes

from pytest_twin.stressors import PROCESS_NAME
from pytest_twin.stressors.spec.request import ON_TIME, LoadRequest
from pytest_twin.stressors.spec.starvation import starved
from pytest_twin.stressors.supervisor import active_load
from pytest_twin.stressors.supervisor.active_load import GIVE_UP_AFTER_S
from pytest_twin.stressors.supervisor.load_manager import LoadManager
from pytest_twin.stressors.system.capacity import MIB

linux = pytest.mark.skipif(sys.platform != "linux", reason="what the kernel does there")
posix = pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals")
FOREVER = ("job.ready()", "while True: time.sleep(1)")


def test_it_says_hello_with_its_process_id(supervisor):
    assert supervisor.hello == {"event": "hello", "pid": supervisor.process.pid}


def test_a_load_is_ready_and_then_ends_when_it_is_stopped(supervisor):
    ready = supervisor.applied(**light("load"))
    assert ready.keys() == {"event", "id", "at", "pids", "achieved"}
    assert {psutil.Process(pid).ppid() for pid in ready["pids"]} == {supervisor.process.pid}
    end = supervisor.stopped()
    assert end == {
        "event": "end", "id": "load", "at": end["at"], "began": end["began"], "since": ready["at"],
        "paused": end["paused"], "reason": "stopped", "achieved": end["achieved"],
    }  # fmt: skip
    assert 0 <= end["paused"] <= supervisor.frozen_s
    assert end["achieved"].keys() == {"cpu_s", "asked_cpu_s", "held_s"}
    assert end["at"] >= end["since"] >= end["began"]
    assert not any(psutil.pid_exists(pid) for pid in ready["pids"])


def test_a_load_ends_after_its_duration(supervisor):
    ready = supervisor.applied(**light(duration=0.2))
    end = supervisor.hear()
    assert (end["event"], end["reason"]) == ("end", "duration")
    assert end["at"] - ready["at"] >= 0.2


def test_a_planned_load_does_not_start_early(supervisor):
    planned = time.monotonic() + 0.3
    assert supervisor.applied(start=planned)["at"] >= planned


def test_the_workers_of_a_replay_wait_for_its_start(supervisor):
    for _ in range(30):  # a busy machine may not have them ready in time
        planned = time.monotonic() + 0.5
        supervisor.apply(start=planned, duration=0.3, options={ON_TIME: True})
        ready = end = supervisor.hear()
        if ready["event"] == "ready":
            end = supervisor.hear()
            assert ready["at"] >= planned
            if ready["at"] == planned:
                break
    assert (ready["at"], end["since"], end["reason"]) == (planned, planned, "duration")
    assert end["began"] < planned  # its workers
    assert end["achieved"]["held_s"] <= end["at"] - planned


def test_beside_a_limit_the_workers_of_a_replay_do_not_start_early(supervisor):
    supervisor.send({"op": "limit", "requests": [{**cpu(), "text": "cpu=1"}]})
    planned = time.monotonic() + 0.5
    supervisor.applied(start=planned, duration=60, options={ON_TIME: True})
    assert supervisor.stopped()["began"] >= planned


def test_a_load_that_is_stopped_before_its_start_was_never_there(supervisor):
    supervisor.apply(start=time.monotonic() + 60)
    end = supervisor.stopped()
    assert end == {
        "event": "end", "id": "load", "at": end["at"], "began": None, "since": None, "paused": 0.0, "reason": "stopped",
        "achieved": {},
    }  # fmt: skip


@pytest.mark.parametrize("planned", [True, False])
def test_a_load_that_ends_before_it_is_there_is_aborted(supervisor, own_stressor, planned):
    request = own_stressor("late_stress", "time.sleep(60)", "job.ready()")
    supervisor.send({"op": "path", "path": sys.path})
    if planned:
        supervisor.apply(**request, start=time.monotonic(), duration=0.3)
    else:
        supervisor.apply(**request)
        supervisor.send({"op": "stop", "id": "load"})
    abort = supervisor.hear()
    assert (abort["event"], abort["since"]) == ("abort", None)
    too_late = "cannot start: its time was over before it could be started"  # on a machine that stands still
    assert abort["reason"] in {"ended before it was ready", *([too_late] if planned else [])}


def test_a_load_of_a_schedule_that_is_stopped_before_it_is_there_has_just_ended(supervisor, own_stressor, eventually):
    """The session is over in the moment in which it begins: that is no fault of the load."""
    request = own_stressor("late_stress", "time.sleep(60)", "job.ready()")
    supervisor.send({"op": "path", "path": sys.path})
    supervisor.apply(**request, start=time.monotonic(), duration=60)
    eventually(lambda: psutil.Process(supervisor.process.pid).children())
    end = supervisor.stopped()
    assert (end["event"], end["since"], end["reason"]) == ("end", None, "stopped before it was ready")


def test_loads_are_stopped_one_by_one(supervisor):
    supervisor.applied("one")
    two = supervisor.applied("two")
    assert supervisor.stopped("one")["id"] == "one"
    assert all(psutil.pid_exists(pid) for pid in two["pids"])
    assert supervisor.stopped("two")["id"] == "two"


def test_the_end_of_a_load_that_never_was_is_told_too(supervisor):
    supervisor.send({"op": "stop", "id": "gone"}, {"op": "achieved", "id": "gone"})
    end = supervisor.hear()
    assert (end["event"], end["id"], end["began"], end["since"]) == ("end", "gone", None, None)
    assert supervisor.hear() == {"event": "achieved", "id": "gone", "achieved": {}}


def test_a_name_may_be_used_again(supervisor):
    for _ in range(2):
        supervisor.applied()
        assert supervisor.stopped()["reason"] == "stopped"


def test_its_figures_can_be_asked_for_meanwhile(supervisor, eventually):
    supervisor.applied(profile=[[0, 2]])
    eventually(lambda: supervisor.achieved().get("cpu_s", 0) > 0.1)


@pytest.mark.fault("helpers")
def test_a_stressor_that_cannot_be_found_aborts_with_a_reason(supervisor):
    supervisor.apply(module="nowhere_stress")
    abort = supervisor.hear()
    assert abort == {
        "event": "abort", "id": "load", "at": abort["at"], "began": None, "since": None, "paused": 0.0,
        "reason": "cannot start: No module named 'nowhere_stress'", "achieved": {},
    }  # fmt: skip


@pytest.mark.fault("helpers")
def test_a_load_that_cannot_be_applied_aborts_with_a_reason(supervisor, tmp_path):
    nowhere = str(tmp_path / "nowhere")
    disk = {
        "module": "pytest_twin.stressors.kinds.disk",
        "unit": "max",
        "profile": [[0, 1]],
        "options": {"directory": nowhere},
    }
    supervisor.apply(**disk)
    abort = supervisor.hear()
    assert (abort["event"], abort["since"]) == ("abort", None)
    assert abort["reason"] == f"{nowhere} is not a directory"


@posix
def test_a_killed_worker_aborts_its_load_with_a_reason(supervisor):
    ready = supervisor.applied(**light(workers=3))
    victim, *others = ready["pids"]
    os.kill(victim, signal.SIGKILL)
    abort = supervisor.hear()
    assert (abort["event"], abort["reason"]) == ("abort", f"worker {victim} killed by SIGKILL")
    assert not any(psutil.pid_exists(pid) for pid in others)


def test_stressors_of_other_packages_are_found_on_the_path_it_is_given(supervisor, own_stressor):
    request = own_stressor("idle_stress", "job.achieved['words'] = 'as asked'", *FOREVER)
    supervisor.send({"op": "path", "path": sys.path})
    supervisor.applied(**request)
    assert supervisor.stopped()["achieved"]["words"] == "as asked"


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("raise ValueError('there is no such thing')", "there is no such thing"),
        ("raise MemoryError", "MemoryError"),
        ("raise KeyError('a bug')", "worker {pid} exit 1"),
        ("os._exit(3)", "worker {pid} exit 3"),
    ],
)
def test_a_stressor_that_fails_aborts_its_load(supervisor, own_stressor, line, reason):
    request = own_stressor("failing_stress", "job.ready()", line)
    supervisor.send({"op": "path", "path": sys.path})
    (pid,) = supervisor.applied(**request)["pids"]
    abort = supervisor.hear()
    assert (abort["event"], abort["reason"]) == ("abort", reason.format(pid=pid))


@posix
def test_a_worker_that_does_not_hear_is_killed(supervisor, own_stressor):
    deaf = "signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM])"
    supervisor.send({"op": "path", "path": sys.path})
    supervisor.applied(**own_stressor("deaf_stress", deaf, *FOREVER))
    end = supervisor.stopped()
    assert (end["event"], end["reason"]) == ("end", "stopped")


@linux
def test_it_and_its_workers_have_their_name_in_process_lists(supervisor):
    (worker,) = supervisor.applied()["pids"]
    assert {psutil.Process(pid).name() for pid in (supervisor.process.pid, worker)} == {PROCESS_NAME}


@linux
def test_a_worker_is_the_first_that_runs_out_of_memory(supervisor):
    (worker,) = supervisor.applied()["pids"]
    assert Path(f"/proc/{worker}/oom_score_adj").read_text(encoding="ascii") == "1000\n"


def test_the_end_of_its_stdin_takes_everything_down(supervisor):
    pids = supervisor.applied(**light(workers=2))["pids"]
    assert supervisor.end() == 0
    assert not any(psutil.pid_exists(pid) for pid in pids)


@posix
def test_sigterm_takes_everything_down(supervisor):
    pids = supervisor.applied(**light(workers=2))["pids"]
    supervisor.process.terminate()
    assert supervisor.hear()["reason"] == "stopped"
    assert supervisor.process.wait(60) == 0
    assert not any(psutil.pid_exists(pid) for pid in pids)


@posix
def test_ctrl_c_is_its_owners_to_handle(supervisor):
    supervisor.applied()
    supervisor.process.send_signal(signal.SIGINT)
    assert supervisor.stopped()["reason"] == "stopped"


@linux
def test_a_killed_supervisor_leaves_no_worker(supervisor, eventually_gone):
    workers = [psutil.Process(pid) for pid in supervisor.applied(**cpu(workers=4))["pids"]]
    supervisor.process.kill()
    eventually_gone(workers)


@linux
def test_many_supervisors_killed_at_once_leave_no_worker(started, eventually):
    """Killed while their workers are being born, which is when a worker is most easily lost."""
    supervisors = [Supervisor(started(*BARE, SOURCES / "__main__.py", start_new_session=True)) for _ in range(4)]
    for each in supervisors:
        each.apply(**cpu(workers=20))
    for each in supervisors:
        each.process.kill()
    groups = {each.process.pid for each in supervisors}
    eventually(lambda: not any(group_of(process) in groups for process in psutil.process_iter()))


def group_of(process: psutil.Process) -> int | None:
    """Its process group, None if it has ended."""
    with suppress(ProcessLookupError, psutil.Error):
        return None if process.status() == psutil.STATUS_ZOMBIE else os.getpgid(process.pid)
    return None


@posix
def test_it_ends_with_its_parent_though_somebody_else_holds_its_stdin(started, eventually_gone):
    start = f"import subprocess; subprocess.Popen({[*BARE, str(SOURCES / '__main__.py')]!r}).wait()"
    parent = started(sys.executable, "-c", start)
    supervisor = Supervisor(parent)  # it has inherited the parent's pipes, which this test holds open
    (worker,) = supervisor.applied()["pids"]
    orphans = [psutil.Process(supervisor.hello["pid"]), psutil.Process(worker)]
    parent.kill()
    eventually_gone(orphans)


# In this process


@pytest.fixture(params=[pytest.param(True, marks=posix), False], ids=["forked", "spawned"])
def loads(request):
    """Loads of this process, by fork and as on Windows; whatever is left of them is stopped."""
    made = Loads(fork=request.param)
    yield made
    made.manager.stop_all()


def test_a_replay_that_is_stopped_while_its_workers_wait_was_never_applied(loads):
    loads.apply(light(start=time.monotonic() + 60, options={ON_TIME: True}))
    waiting = loads.manager._loads["load"]
    waiting.start()
    while waiting._not_ready:
        loads.go_on(0.01)
    loads.manager.stop("load")
    end = loads.until("end", "abort")
    assert (end["event"], end["since"], end["reason"]) == ("end", None, "stopped")


class Loads:
    """A `LoadManager` and its replies."""

    def __init__(self, *, fork: bool) -> None:
        self._said: list[dict] = []
        self.manager = LoadManager(self._said.append, fork=fork)

    @property
    def replies(self) -> list[dict]:
        """What was replied so far."""
        return without_freezes(self._said)

    def apply(self, request: dict) -> None:
        """Apply a load as it is requested on the wire."""
        self.manager.apply(LoadRequest.from_json(request))

    def until(self, *events: str) -> dict:
        """Go on until something of these is told of."""
        deadline = time.monotonic() + 60
        while not (found := [each for each in self.replies if each["event"] in events]):
            assert time.monotonic() < deadline, self.replies
            self.manager.loop.run_once(1.0)
        return found[-1]

    def go_on(self, seconds: float) -> None:
        """Go on for some seconds, whatever is told of."""
        deadline = time.monotonic() + seconds
        while (left := deadline - time.monotonic()) > 0:
            self.manager.loop.run_once(left)

    def wind(self, seconds: float) -> None:
        """Have so much more of the time of loads over, and do what is due by then."""
        self.manager.loop.skip(-seconds)
        for _ in range(10):
            self.manager.loop.run_once(0.0)


in_process = pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")


@in_process
def test_a_load_is_ready_and_then_stopped(loads):
    loads.apply(light())
    pids = loads.until("ready")["pids"]
    assert loads.manager.busy
    loads.manager.stop_all()
    assert not loads.manager.busy
    assert [each["event"] for each in loads.replies] == ["ready", "end"]
    assert len(pids) == 1
    assert not any(psutil.pid_exists(pid) for pid in pids)


@in_process
def test_a_duration_ends_a_load(loads):
    loads.apply(light(duration=0.1))
    end = loads.until("end")
    assert end["reason"] == "duration"
    assert end["at"] - end["since"] >= 0.1


@pytest.mark.slow
@in_process
def test_a_planned_duration_counts_from_the_plan(loads):
    planned = time.monotonic() + 0.1
    loads.apply(light(start=planned, duration=2))
    assert planned + 2 <= loads.until("end")["at"]


@in_process
def test_a_killed_worker_aborts(loads):
    loads.apply(light())
    (pid,) = loads.until("ready")["pids"]
    psutil.Process(pid).kill()
    abort = loads.until("abort")
    assert abort["reason"] in {f"worker {pid} killed by SIGKILL", f"worker {pid} exit -9", f"worker {pid} exit 15"}


@in_process
def test_a_load_that_died_is_told_of_once(loads):
    loads.apply(light(duration=600))
    (pid,) = loads.until("ready")["pids"]
    psutil.Process(pid).kill()
    loads.until("abort")
    loads.wind(1200)
    assert [each["event"] for each in loads.replies] == ["ready", "abort"]


@in_process
def test_memory_is_held_and_given_back(loads):
    request = {"id": "load", "module": "pytest_twin.stressors.kinds.mem", "unit": "bytes", "profile": [[0, 20 * MIB]]}
    loads.apply(request)
    loads.until("ready")
    loads.manager.stop("load")
    end = loads.until("end")
    assert (end["reason"], end["achieved"].get("peak_bytes", 20 * MIB)) == ("stopped", 20 * MIB)


@pytest.fixture
def amount(tmp_path):
    """A load that is over when it is written."""
    disk = {"id": "load", "module": "pytest_twin.stressors.kinds.disk", "options": {"directory": str(tmp_path)}}
    return {**disk, "unit": "bytes", "profile": [[0, 4 * MIB]]}


@in_process
def test_an_amount_that_is_written_is_done(loads, amount):
    loads.apply(amount)
    assert loads.until("end")["reason"] == "done"
    assert [each["event"] for each in loads.replies] == ["ready", "end"]


@in_process
def test_an_amount_that_is_done_before_its_duration_ends_once(loads, amount):
    loads.apply({**amount, "duration": 600})
    assert loads.until("end")["reason"] == "done"
    loads.wind(1200)
    assert [each["event"] for each in loads.replies] == ["ready", "end"]


@pytest.fixture
def large_amount(amount, tmp_path):
    """A load that writes 256 KiB each 5 ms, and would have to go on for hours."""
    slow = {"directory": str(tmp_path), "block": 256 * 1024, "pause": 0.005, "loop": False}
    return {**amount, "profile": [[0, 2**40]], "options": slow}


@in_process
def test_an_amount_that_is_not_written_in_its_duration_is_starved(loads, large_amount):
    loads.apply({**large_amount, "duration": 0.3})
    reason = loads.until("abort")["reason"]
    assert re.fullmatch(r"starved: achieved 0 % of the request \([\d.]+ of 1099512 MB moved\)", reason)


@in_process
@pytest.mark.parametrize(("reason", "event"), [("duration", "abort"), ("stopped", "end")])
def test_whoever_stops_a_load_says_whether_its_time_is_over(loads, large_amount, reason, event):
    loads.apply(large_amount)
    loads.until("ready")
    loads.manager.stop("load", reason)
    assert loads.until(event)["event"] == event


@in_process
def test_an_amount_in_a_loop_has_no_whole(loads, large_amount):
    loads.apply({**large_amount, "duration": 0.3, "options": {**large_amount["options"], "loop": True}})
    assert loads.until("end")["reason"] == "duration"


@in_process
def test_a_stressor_of_the_tests_own_is_imported_by_its_worker(loads, own_stressor):
    loads.apply({"id": "load", **own_stressor("own_stress", "raise OSError('as told')")})
    assert loads.until("abort")["reason"] == "as told"


@linux
@pytest.mark.parametrize("fork", [True, False])
def test_a_worker_ends_with_its_owner(started, eventually_gone, fork):
    own = (
        f"import sys; sys.path[:0] = [{str(ROOT)!r}]\n"
        "from pytest_twin.stressors.supervisor.load_manager import LoadManager\n"
        "from pytest_twin.stressors.spec.request import LoadRequest\n"
        f"manager = LoadManager(lambda reply: print(*reply['pids'], flush=True), fork={fork})\n"
        f"manager.apply(LoadRequest.from_json({cpu(workers=2)}))\n"
        "while True: manager.loop.run_once()"
    )
    owner = started(*BARE, "-c", own)
    workers = [psutil.Process(int(pid)) for pid in owner.stdout.readline().split()]
    assert len(workers) == 2
    owner.kill()
    eventually_gone(workers)


def test_a_load_that_gets_much_less_than_it_asks_for_is_starved():
    assert starved({"cpu_s": 0.79, "asked_cpu_s": 1.0, "reduced": "text"}) == (
        "starved: achieved 79 % of the request (0.79 of 1 s of CPU time)"
    )
    assert starved({"cpu_s": 0.7995, "asked_cpu_s": 1.0}) == (
        "starved: achieved 79 % of the request (0.7995 of 1 s of CPU time)"
    )
    assert starved({"cpu_s": 0.8, "asked_cpu_s": 1.0}) == ""
    assert starved({"asked_written_bytes": 2e6}) == ("starved: achieved 0 % of the request (0 of 2 MB written)")
    assert starved({"asked_host_cpu_s": 3.0, "host_cpu_s": 1.5}).endswith("(1.5 of 3 s of CPU time of the host)")
    assert starved({"asked_moved_bytes": 2e11, "moved_bytes": 6.25e8}).endswith("(625 of 200000 MB moved)")
    assert starved({"asked_operations": 1000.0, "operations": 5}).endswith("(5 of 1000 operations)")
    assert starved({"asked_cpu_s": 0.0, "cpu_s": 0.0}) == ""


@in_process
def test_a_starved_load_is_aborted_at_its_end(loads, own_stressor):
    lines = ("job.achieved.update(done=1.0, asked_done=4.0)", "job.ready()", "while True: time.sleep(0.1); job.tick()")
    loads.apply({"id": "load", "duration": 1.2, **own_stressor("starving", *lines)})
    assert loads.until("abort")["reason"] == "starved: achieved 25 % of the request (1 of 4 done)"


@in_process
def test_the_achieved_figures_say_how_much_of_its_planned_time_a_load_was_there(loads):
    loads.apply(light(start=time.monotonic() - 500, duration=1000))
    loads.until("ready")
    loads.wind(500)
    achieved = loads.until("end")["achieved"]
    assert 0 < achieved["held_s"] < 1000
    assert achieved["coverage"] == pytest.approx(achieved["held_s"] / 1000)


def limited(loads, most: float) -> None:
    loads.manager.limit([(LoadRequest.from_json(light(workers=most)), f"cpu={most}")])


@in_process
def test_a_load_that_would_make_too_much_with_others_is_not_applied(loads):
    limited(loads, 2)
    loads.apply(light("one", workers=1))
    loads.until("ready")
    loads.apply(light("two", workers=2))
    assert loads.until("abort")["reason"] == ("cannot start: the total load would be 150% of the limit cpu=2")
    loads.apply(light("three", workers=1))
    assert [each["id"] for each in loads.replies] == ["one", "two"]
    loads.manager.stop_all()
    assert sorted(each["id"] for each in loads.replies if each["event"] != "ready") == ["one", "three", "two"]


def samples(path, *values: object) -> None:
    path.write_text(
        "".join(f"{line}\n" for line in ("timestamp,ram_used_percent", *(f"t,{value}" for value in values)))
    )


@in_process
def test_a_load_is_stopped_by_what_a_sample_says(loads, tmp_path):
    dataset = tmp_path / "samples.csv"
    samples(dataset, 50)
    loads.manager.watch_samples(str(dataset))
    loads.apply(light(stop_when=[["ram_used_percent", ">", 95]]))
    loads.until("ready")
    samples(dataset, 50, 96.5)
    abort = loads.until("abort")
    assert abort["reason"] == "stop_when: ram_used_percent is 96.5, > 95"
    assert abort["since"] is not None


@in_process
def test_a_load_that_a_sample_forbids_does_not_start(loads, tmp_path):
    dataset = tmp_path / "samples.csv"
    samples(dataset, 99)
    loads.manager.watch_samples(str(dataset))
    loads.apply(light(stop_when=[["swap_used_percent", ">", 1], ["ram_used_percent", ">=", 99]]))
    assert loads.until("abort")["reason"] == "cannot start: stop_when: ram_used_percent is 99, >= 99"


@posix
@in_process
def test_paused_loads_do_nothing_and_their_time_stands_still(loads, eventually):
    loads.apply(cpu(workers=0.3, duration=0.5))
    (pid,) = loads.until("ready")["pids"]
    burnt = psutil.Process(pid).cpu_times
    loads.manager.pause("debugger")
    time.sleep(0.2)
    before = burnt().user
    loads.go_on(0.7)
    assert burnt().user - before < 0.1
    assert loads.replies[-1]["event"] == "paused"
    loads.manager.resume("debugger")
    resumed = loads.until("resumed")
    end = loads.until("end", "abort")  # the latter where others used the CPUs
    assert end["at"] - end["since"] >= 1.2
    assert 0.7 <= resumed["paused_s"] <= end["paused"] + 1e-6


@posix
@in_process
def test_a_load_that_is_stopped_in_a_pause_did_nothing_for_the_time_of_the_pause(loads):
    loads.apply(light())
    loads.until("ready")
    loads.manager.pause("debugger")
    paused_at = time.monotonic()
    time.sleep(0.5)
    loads.manager.stop("load")
    end = loads.until("end")
    assert end["paused"] >= 0.5
    assert end["achieved"]["held_s"] <= paused_at - end["since"]


@posix
@in_process
@pytest.mark.parametrize(("state", "event"), [("R", "end"), ("D", "abort")])
def test_a_killed_worker_is_waited_for_unless_it_waits_for_a_disk(own_stressor, monkeypatch, state, event):
    """Killed, it ends only when it has a CPU; here two seconds after one that waits for a disk is given up."""
    loads = Loads(fork=True)
    loads.apply({"id": "load", **own_stressor("deaf", "signal.pthread_sigmask(signal.SIG_BLOCK, {15})", *FOREVER)})
    loads.until("ready")
    [worker] = loads.manager._loads["load"]._workers
    kill, wait = worker.process.kill, GIVE_UP_AFTER_S + 2
    monkeypatch.setattr(active_load, "process_state", lambda _: state)
    monkeypatch.setattr(worker.process, "kill", lambda: loads.manager.loop.after(wait, kill))
    loads.manager.stop("load")
    end = loads.until("end", "abort")
    loads.go_on(wait if event == "abort" else 0.0)  # it is killed and reaped then
    loads.manager.stop_all()
    told = {"end": "stopped", "abort": "worker 1 of 1 does not end; it waits for a disk"}
    assert (end["event"], end["reason"]) == (event, told[event])


@in_process
def test_a_load_that_is_stopped_while_it_gets_its_workers_leaves_none(loads):
    loads.apply(light(workers=4))
    loads.manager.stop("load")
    abort = loads.until("abort")
    assert (abort["began"], abort["since"], abort["reason"]) == (None, None, "ended before it was ready")
    loads.manager.stop_all()
    assert not psutil.Process().children()


@in_process
def test_a_load_whose_time_is_over_before_it_could_be_started_is_not_applied(loads):
    loads.apply(cpu(start=time.monotonic() - 2, duration=1))
    abort = loads.until("abort")
    assert abort["reason"] == "cannot start: its time was over before it could be started"
    assert not psutil.Process().children()


@in_process
def test_of_many_loads_at_once_as_many_are_applied_as_the_machine_can_serve(loads, monkeypatch):
    monkeypatch.setattr(loads.manager._pool, "_max_busy", 2)
    for name in "abcd":
        loads.apply(light(name, start=time.monotonic(), duration=60))
    while len(loads.replies) < 4:
        loads.manager.loop.run_once(1.0)
    assert sorted((each["id"], each["event"]) for each in loads.replies) == [
        ("a", "ready"), ("b", "ready"), ("c", "abort"), ("d", "abort"),
    ]  # fmt: skip
    assert loads.until("abort")["reason"] == ("cannot start: 2 workers are busy; the maximum is 2")
    loads.manager.stop("a")
    loads.until("end")
    loads.apply(light("e"))
    while loads.replies[-1]["id"] != "e":
        loads.manager.loop.run_once(1.0)
    assert loads.replies[-1]["event"] == "ready"


@in_process
def test_loads_go_on_when_no_reason_to_pause_is_left(loads):
    manager = loads.manager
    manager.pause("debugger")
    manager.pause("stopped")
    manager.resume("debugger")
    assert [each["event"] for each in loads.replies] == ["paused"]
    manager.resume("unknown")
    manager.resume("stopped")
    assert [each["event"] for each in loads.replies] == ["paused", "resumed"]


OWNER = (
    "import subprocess, sys, json, time\n"
    f"supervisor = subprocess.Popen({[*BARE, str(SOURCES / '__main__.py')]!r}, stdin=subprocess.PIPE, stdout=1,"
    " process_group=0)\n"
    "{}supervisor.stdin.flush()\n"
    "sys.stdin.read()\n"
)
"""A program that starts a supervisor and sends it what stands in the braces."""


@linux
def test_loads_pause_while_their_owner_is_stopped(started, eventually):
    """Ctrl-Z in a terminal stops the tests; the supervisor, in a group of its own, goes on and sees it."""
    own = f"supervisor.stdin.write({json.dumps({'op': 'apply', **cpu()})!r}.encode() + b'\\n')\n"
    owner = started(sys.executable, "-c", OWNER.format(own))
    supervisor = Supervisor(owner)  # which writes where its owner does
    (pid,) = supervisor.hear()["pids"]
    burnt = psutil.Process(pid).cpu_times
    owner.send_signal(signal.SIGSTOP)
    assert supervisor.hear()["event"] == "paused"
    before = burnt().user
    time.sleep(0.5)
    assert burnt().user - before < 0.2
    owner.send_signal(signal.SIGCONT)
    assert supervisor.hear()["event"] == "resumed"
    eventually(lambda: burnt().user - before > 0.2)


@linux
def test_a_killed_owner_that_has_read_nothing_takes_its_loads_along(started, eventually, eventually_gone):
    """The pipe of the replies is full by then, and another process still holds its other end: this one."""
    import fcntl
    import termios

    own = (
        f"supervisor.stdin.write(json.dumps({{'op': 'apply', **{cpu()!r}}}).encode() + b'\\n')\n"
        "for _ in range(200):\n"
        " supervisor.stdin.write(json.dumps({'op': 'achieved', 'id': 'x' * 1000}).encode() + b'\\n')\n"
    )
    owner = started(sys.executable, "-c", OWNER.format(own))
    supervisor = psutil.Process(Supervisor(owner).hello["pid"])
    count, holds = bytearray(4), fcntl.fcntl(owner.stdout, fcntl.F_GETPIPE_SZ)

    def is_full() -> bool:
        before = bytes(count)
        fcntl.ioctl(owner.stdout, termios.FIONREAD, count)
        time.sleep(0.2)
        return bytes(count) == before and int.from_bytes(count, sys.byteorder) > 0.6 * holds

    eventually(is_full)
    doomed = [supervisor, *supervisor.children()]
    assert len(doomed) > 1
    owner.kill()
    eventually_gone(doomed)


@linux
@pytest.mark.slow
@pytest.mark.parametrize("due_at_once", [True, False], ids=["at once", "one after another"])
def test_a_killed_owner_of_many_loads_takes_all_of_them_along_at_once(started, eventually_gone, due_at_once):
    """More than can be started in time: the supervisor looks around between any two of them."""
    own = (
        "now = time.monotonic()\n"
        "for number in range(1000):\n"
        f"    start = now + number * {0 if due_at_once else 0.002}\n"
        f"    request = {{**{cpu()!r}, 'id': str(number), 'op': 'apply', 'start': start, 'duration': 60}}\n"
        "    supervisor.stdin.write(json.dumps(request).encode() + b'\\n')\n"
    )
    owner = started(sys.executable, "-c", OWNER.format(own))
    replies = Supervisor(owner)
    supervisor = psutil.Process(replies.hello["pid"])
    while replies.hear()["event"] != "ready":
        pass
    doomed = [supervisor, *supervisor.children()]
    owner.kill()
    eventually_gone(doomed)  # promised is one second; the machine may be busy with something else
