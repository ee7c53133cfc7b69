"""The load that tops the whole host up: its steering on a made-up host, and itself under the supervisor."""

from __future__ import annotations

import sys

import pytest
from driving import is_kept

from pytest_twin.stressors.kinds import cpu_total
from pytest_twin.stressors.kinds.cpu_total import CpuController, HostIdleTime
from pytest_twin.stressors.spec.request import LoadRequest
from pytest_twin.stressors.system.capacity import usable_cpus
from pytest_twin.stressors.worker.job import Job

CPUS = 4
TICK_S = 0.01
linux = pytest.mark.skipif(sys.platform != "linux", reason="/proc/stat is Linux's")


class MadeUp:
    """A host whose others are busy with so many cores, and which tells its idle time in ticks."""

    def __init__(self, monkeypatch, target=0.75, usable=CPUS, profile=None):
        self.at = self.idle_s = self.others = self.burnt_s = self.paused_s = 0.0
        monkeypatch.setattr(cpu_total, "read_host", self.read)
        monkeypatch.setattr(cpu_total, "usable_cpus", lambda: usable)
        self.job = Job(LoadRequest(unit="share", profile=profile or [(0, target)]))
        monkeypatch.setattr(self.job, "now", lambda: self.at - self.paused_s)
        self.controller = CpuController(self.job)

    def read(self):
        return HostIdleTime(self.at, self.idle_s // TICK_S * TICK_S, CPUS)

    def go_on(self, seconds, cores=None):
        """Let time pass; how busy the host was on the whole, as a share."""
        idle = self.idle_s
        for _ in range(round(seconds / 0.005)):
            own = self.controller.cores() if cores is None else cores
            self.at += 0.005
            self.burnt_s += 0.005 * own
            self.idle_s += 0.005 * max(0.0, CPUS - own - self.others)
        return 1 - (self.idle_s - idle) / seconds / CPUS

    def begin(self):
        self.go_on(0.05, cores=0.0)
        self.controller.begin()


@pytest.fixture
def host(monkeypatch):
    return MadeUp(monkeypatch)


@pytest.mark.parametrize("others", [0.0, 0.3, 1.2, 2.9])
def test_the_host_is_at_the_level_from_the_beginning(host, others):
    host.others = others
    host.begin()
    assert host.go_on(0.3) == pytest.approx(0.75, abs=0.05)
    assert host.go_on(10) == pytest.approx(0.75, abs=0.003)


def test_every_second_is_at_the_level(host):
    host.others = 1.2
    host.begin()
    assert [host.go_on(1) for _ in range(20)] == pytest.approx([0.75] * 20, abs=0.01)


def test_it_follows_others_that_come_and_go(host):
    host.begin()
    for others in (2.0, 0.5, 2.5, 0.0):
        host.others = others
        host.go_on(0.3)
        assert host.go_on(2) == pytest.approx(0.75, abs=0.01)


def test_it_backs_off_before_others_and_is_soon_there_again(host):
    host.begin()
    host.go_on(1)
    host.others, burnt = 4.0, host.burnt_s
    host.go_on(5)
    assert host.burnt_s - burnt < 0.5
    host.others = 0.0
    host.go_on(0.5)
    assert host.go_on(1) == pytest.approx(0.75, abs=0.02)


def test_it_burns_no_more_than_it_may_use(monkeypatch):
    host = MadeUp(monkeypatch, usable=1.0)
    host.begin()
    assert host.go_on(5) == pytest.approx(0.25, abs=0.01)
    assert host.job.achieved["host_cpu_s"] == pytest.approx(5 * 1.0, rel=0.1)
    assert cpu_total.asked(host.job).integral(5) == 5 * 0.75 * CPUS


def test_a_trace_is_followed_second_by_second(monkeypatch):
    levels = [0.3, 0.9, 0.1, 0.1, 0.6, 0.2, 0.95, 0.5, 0.4, 0.8] * 2
    steps = [point for at, level in enumerate(levels) for point in ((at, level), (at + 1, level))]
    host = MadeUp(monkeypatch, profile=steps)
    host.others = 0.1
    host.begin()
    host.job._is_ready, host.job.began = True, host.at
    assert [host.go_on(1) for _ in levels] == pytest.approx(levels, abs=0.015)


def test_a_demand_above_all_cpus_is_all_of_them_and_leaves_no_debt(monkeypatch):
    host = MadeUp(monkeypatch, profile=[(0, 0.5), (2, 0.5), (2, 1.5), (4, 1.5), (4, 0.5)])
    host.begin()
    host.job._is_ready, host.job.began = True, host.at
    assert [host.go_on(2) for _ in range(3)] == pytest.approx([0.5, 1.0, 0.5], abs=0.03)
    assert cpu_total.asked(host.job).integral(6) == pytest.approx(2 * CPUS * (0.5 + 1.0 + 0.5))


def test_a_demand_above_all_cpus_takes_more_workers_for_each(monkeypatch):
    assert cpu_total.workers(MadeUp(monkeypatch, target=1.5).job) == 2 * CPUS
    assert cpu_total.workers(MadeUp(monkeypatch, target=1.0).job) == CPUS


def test_a_pause_is_no_time_in_which_it_missed_anything(host):
    host.begin()
    host.go_on(1)
    host.go_on(30, cores=0.0)
    host.paused_s = 30.0
    assert host.go_on(1) == pytest.approx(0.75, abs=0.02)
    assert host.job.achieved["host_cpu_s"] == pytest.approx(0.75 * CPUS * 2, rel=0.1)


def test_each_worker_tells_its_part_of_the_host(host):
    host.job.workers = 3
    host.begin()
    host.go_on(10)
    assert host.job.achieved["host_cpu_s"] * 3 == pytest.approx(0.75 * CPUS * 10, rel=0.02)


def test_it_takes_a_worker_for_each_usable_cpu(monkeypatch):
    host = MadeUp(monkeypatch, usable=1.5)
    assert cpu_total.workers(host.job) == 2
    assert cpu_total.demand(host.job) == 1.5


def test_a_strict_load_is_refused_where_it_may_use_too_little(monkeypatch):
    host = MadeUp(monkeypatch, usable=1.5)
    host.job.strict = True
    said = r"^requested 3 CPUs; only 1\.5 are usable; request less, or remove strict$"
    with pytest.raises(OSError, match=said):
        cpu_total.workers(host.job)


def test_without_the_hosts_idle_time_it_says_what_to_do(monkeypatch):
    monkeypatch.setattr(cpu_total, "STAT", "/nowhere/stat")
    with pytest.raises(
        OSError, match=r"^cpu_total needs /nowhere/stat, which this platform does not have; use cpu instead$"
    ):
        cpu_total.read_host()


@linux
def test_the_host_is_read_with_all_its_cpus():
    host = cpu_total.read_host()
    assert host.cpus >= usable_cpus()
    later = cpu_total.read_host()
    assert -1 < later.idle_s - host.idle_s < host.cpus * (later.at - host.at) + 1


@pytest.mark.parametrize(("target", "rests"), [(0.0, True), (0.75, False)])
def test_a_worker_that_has_nothing_to_burn_rests_until_the_next_measurement(monkeypatch, target, rests):
    host, slept = MadeUp(monkeypatch, target), []

    def pass_idle(seconds):
        host.at += seconds
        host.idle_s += seconds * CPUS

    def sleep(seconds):
        slept.append(seconds)
        pass_idle(seconds)

    def tick():
        pass_idle(0.002)
        if len(slept) > 20:
            raise InterruptedError

    monkeypatch.setattr(cpu_total.time, "sleep", sleep)
    monkeypatch.setattr(host.job, "ready", lambda: None)
    monkeypatch.setattr(host.job, "tick", tick)
    with pytest.raises(InterruptedError):
        cpu_total.stress(host.job)
    assert (slept.count(cpu_total.MEASURE_EVERY_S) > 5) is rests  # one of them is before it is ready


@linux
def test_the_whole_host_is_topped_up(supervisor):
    """A busy machine is over the level by itself; what it never is, is under it."""
    share = {"module": "pytest_twin.stressors.kinds.cpu_total", "unit": "share", "profile": [[0, 0.4]]}

    def topped_up() -> float:
        supervisor.applied(**share, duration=1.5)
        achieved = supervisor.hear()["achieved"]
        return min(1.0, achieved["host_cpu_s"] / achieved["asked_host_cpu_s"])

    assert is_kept(topped_up, within=0.3)


def test_it_runs_by_hand(run):
    status, said, _ = run("cpu_total_stress.py", "--help")
    assert status == 0
    assert cpu_total.__doc__.partition("\n\n")[0] in " ".join(said.split())


@linux
def test_the_whole_host_is_requested_more_than_it_has(supervisor):
    """The workers of the upper layer have nothing to do for a time in which none may be taken for stuck."""
    steps = [[0, 0.1], [2.5, 0.1], [2.5, 1.5]]
    supervisor.applied(module="pytest_twin.stressors.kinds.cpu_total", unit="share", profile=steps, duration=3.5)
    end = supervisor.hear()
    assert (end["event"], end.get("reason")) == ("end", "duration"), end
