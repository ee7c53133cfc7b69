"""The CPU stressor, by hand and under the supervisor."""

from __future__ import annotations

import math
import re
import signal
import subprocess
import sys
import time

import psutil
import pytest
from driving import ROOT, ended, is_kept, light

from pytest_twin.stressors.kinds import cpu
from pytest_twin.stressors.spec.profile import Profile
from pytest_twin.stressors.spec.request import LoadRequest
from pytest_twin.stressors.system.capacity import usable_cpus
from pytest_twin.stressors.worker.job import Job

posix = pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals")


def test_it_runs_from_a_bare_checkout_and_says_what_it_did(run):
    status, said, errors = run("cpu_stress.py", "--procs", 2, "--duration", 0.5)
    assert (status, errors) == (int("failed" in said), "")
    assert re.fullmatch(
        rf"cpu load ready: 2 process\(es\)\ncpu load {ended('duration')}: \d+\.\d s, \d+\.\d\d CPU s\n", said
    )


def test_it_runs_as_typed_in_the_checkout_with_nothing_installed():
    command = [sys.executable, "-S", "stressors/cpu_stress.py", "--procs", "1", "--duration", "0"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
    assert re.match(rf"cpu load ready: 1 process\(es\)\ncpu load {ended('duration')}: ", done.stdout)


def test_its_help_is_its_own_docstring(run):
    status, said, _ = run("cpu_stress.py", "--help")
    assert status == 0
    assert cpu.__doc__.partition("\n\n")[0] in " ".join(said.split())


@pytest.mark.parametrize(
    ("flag", "value", "message"),
    [
        ("--procs", "-3", "'-3' is not a whole number of at least 1"),
        ("--procs", "0", "'0' is not a whole number of at least 1"),
        ("--procs", "1.5", "'1.5' is not a whole number of at least 1"),
        ("--procs", "many", "'many' is not a whole number of at least 1"),
        ("--duration", "-1", "'-1' is not a number of at least 0"),
        ("--duration", "nan", "'nan' is not a number of at least 0"),
        ("--duration", "inf", "'inf' is not a number of at least 0"),
    ],
)
def test_nonsense_is_refused_with_a_reason(run, flag, value, message):
    status, said, errors = run("cpu_stress.py", flag, value)
    assert (status, said) == (2, "")
    assert errors.splitlines()[-1] == f"cpu_stress.py: error: argument {flag}: {message}"


def test_each_of_its_processes_burns(start, eventually):
    program = start("cpu_stress.py", "--procs", 3)
    workers = program.workers
    assert program.first_line == "cpu load ready: 3 process(es)\n"
    assert len(workers) == 3
    eventually(lambda: all(worker.cpu_times().user > 0.1 for worker in workers))


@posix
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_stops_it_cleanly(start, number):
    program = start("cpu_stress.py", "--procs", 2)
    workers = program.workers
    program.process.send_signal(number)
    status, said = program.end()
    assert status == int("failed" in said)
    assert re.fullmatch(rf"cpu load {ended('stopped')}: \d+\.\d s, \d+\.\d\d CPU s\n", said)
    assert not any(worker.is_running() for worker in workers)


@posix
def test_stopped_for_a_while_it_goes_on(start, eventually):
    program = start("cpu_stress.py", "--procs", 1)
    everybody = [psutil.Process(program.process.pid), *program.workers]
    for each in everybody:  # as Ctrl-Z does
        each.suspend()
    time.sleep(1)
    for each in everybody:
        each.resume()
    before = everybody[1].cpu_times().user
    eventually(lambda: everybody[1].cpu_times().user > before + 0.1)
    program.process.terminate()
    assert re.match(rf"cpu load {ended('stopped')}: ", program.end()[1])


@posix
def test_a_killed_worker_makes_it_fail(start):
    program = start("cpu_stress.py", "--procs", 2)
    victim = program.workers[0]
    victim.kill()
    status, said = program.end()
    assert status == 1
    assert said.startswith(f"cpu load failed (worker {victim.pid} killed by SIGKILL): ")


@pytest.mark.skipif(sys.platform != "linux", reason="PR_SET_PDEATHSIG is Linux's")
def test_killed_itself_it_leaves_no_worker(start, eventually_gone):
    program = start("cpu_stress.py", "--procs", 2)
    workers = program.workers
    program.process.kill()
    eventually_gone(workers)


@pytest.mark.parametrize(
    ("unit", "amount", "expected"), [("count", 3, 3), ("count", 2.5, 3), ("share", 0.01, None), ("share", 1, None)]
)
def test_a_share_takes_a_worker_for_each_usable_cpu(monkeypatch, unit, amount, expected):
    monkeypatch.setattr(cpu, "usable_cpus", lambda: 1.5)
    assert cpu.workers(Job(LoadRequest(unit=unit, profile=[(0, amount)]))) == (expected or 2)


@pytest.mark.parametrize(("peak", "layers"), [(0.5, 1), (1.0, 1), (1.0000001, 1), (1.2, 2), (2.0, 2), (2.5, 3)])
def test_a_demand_above_all_cpus_takes_more_workers_for_each(monkeypatch, peak, layers):
    monkeypatch.setattr(cpu, "usable_cpus", lambda: 2.0)
    assert cpu.workers(Job(LoadRequest(unit="share", profile=[(0, 0.1), (5, peak)]))) == 2 * layers


@pytest.mark.parametrize(
    ("target", "parts"), [(0.5, [0.5, 0.0, 0.0]), (1.25, [1.0, 0.25, 0.0]), (3.0, [1.0, 1.0, 1.0])]
)
def test_each_layer_of_workers_requests_what_the_lower_ones_do_not(target, parts):
    assert [cpu.in_layer(target, layer, 3) for layer in range(3)] == parts


def test_a_single_layer_requests_all():
    assert [cpu.in_layer(target, 0, 1) for target in (0.5, 3.0)] == [0.5, 3.0]


def test_of_a_demand_above_all_cpus_all_are_asked_for(supervisor):
    ready = supervisor.applied(unit="share", profile=[[0, 1.5]], duration=0.3)
    assert len(ready["pids"]) == 2 * math.ceil(usable_cpus())
    figures = supervisor.hear()["achieved"]
    assert figures["asked_cpu_s"] == pytest.approx(usable_cpus() * figures["held_s"])


def test_workers_of_an_upper_layer_are_not_stuck_while_there_is_nothing_for_them(supervisor):
    supervisor.applied(unit="share", profile=[[0, 0.05], [60, 0.05], [60, 1.5]], duration=3)
    end = supervisor.hear()
    assert (end["event"], end.get("reason")) == ("end", "duration"), end


@pytest.fixture
def burnt(supervisor):
    """Applies a load for a second; what it burnt as a share of what so many CPUs would have for its profile."""

    def share(cpus: float, **request) -> float:
        supervisor.applied(**request, duration=1)
        achieved = supervisor.hear()["achieved"]
        return achieved["cpu_s"] / (Profile(request["profile"]).integral(achieved["held_s"]) * cpus)

    return share


def test_a_share_of_the_cpus_is_kept(burnt):
    quarter = {"unit": "share", "profile": [[0, 0.25]]}
    assert is_kept(lambda: burnt(usable_cpus(), **quarter), within=0.4)


def test_all_layers_together_burn_what_they_can(burnt):
    """As measured by all CPUs: a demand of 150 % takes them whole."""
    most = {"unit": "share", "profile": [[0, 1.5]]}
    assert is_kept(lambda: 1.5 * burnt(usable_cpus(), **most), within=0.3)


def test_a_ramp_takes_half_of_what_its_peak_would(burnt):
    ramp = {"unit": "share", "profile": [[0, 0], [1, 0.5]]}
    assert is_kept(lambda: burnt(usable_cpus(), **ramp), within=0.4)


def test_a_ramp_of_workers_is_a_ramp_too(burnt):
    ramp = {"unit": "count", "profile": [[0, 0], [1, 1]]}
    assert is_kept(lambda: burnt(1, **ramp), within=0.4)


def test_a_share_of_nothing_burns_nothing(supervisor):
    supervisor.applied(unit="share", profile=[[0, 0]], duration=0.5)
    achieved = supervisor.hear()["achieved"]
    # it looks 500 times a second whether there is something to do
    assert achieved["cpu_s"] < 0.3 * usable_cpus() * achieved["held_s"]


def test_more_workers_than_the_machine_can_start_are_refused():
    job = Job(LoadRequest(unit="count", profile=[[0, 100_000]]))
    with pytest.raises(ValueError, match=r"^100000 workers are too many for [\d.]+ CPUs; give at most \d+$"):
        cpu.workers(job)


@pytest.mark.parametrize(
    ("unit", "profile", "cores"),
    [("count", [(0, 3)], 3), ("share", [(0, 0.5)], 0.75), ("share", [(0, 0), (5, 1), (9, 0)], 1.5)],
)
def test_it_wants_as_many_cores_as_its_highest_value(monkeypatch, unit, profile, cores):
    monkeypatch.setattr(cpu, "usable_cpus", lambda: 1.5)
    assert cpu.demand(Job(LoadRequest(unit=unit, profile=profile))) == cores


def test_a_share_tells_what_was_asked_beside_what_was_burnt(supervisor):
    supervisor.applied(unit="share", profile=[[0, 0.2]], duration=1)
    end = supervisor.hear()
    achieved = end["achieved"]
    assert 1 <= achieved["held_s"] <= end["at"] - end["since"]
    assert achieved["asked_cpu_s"] == pytest.approx(0.2 * usable_cpus() * achieved["held_s"])


@pytest.mark.skipif(sys.platform != "linux", reason="the affinity of Linux")
def test_the_workers_of_a_share_have_a_cpu_each_and_others_go_where_they_like(supervisor):
    allowed = psutil.Process().cpu_affinity()
    cpus = {}
    for unit in ("share", "count"):
        found = supervisor.applied(**light(unit=unit))
        cpus[unit] = [psutil.Process(pid).cpu_affinity() for pid in found["pids"]]
        supervisor.stopped()
    assert cpus["count"] == [allowed]
    if usable_cpus() == len(allowed):  # and not less, by a quota
        assert sorted(cpus["share"]) == [[cpu] for cpu in sorted(allowed)]


@pytest.mark.parametrize("workers", [1, 4])
def test_of_workers_at_full_speed_no_more_is_asked_than_there_are_cpus(supervisor, workers):
    supervisor.applied(profile=[[0, workers]], duration=0.3)
    figures = supervisor.hear()["achieved"]
    assert figures["asked_cpu_s"] == pytest.approx(min(workers, usable_cpus()) * figures["held_s"])


@pytest.mark.parametrize("method", ["float", "memory", "branch"])
def test_a_share_is_kept_by_every_method(burnt, method):
    fifth = {"unit": "share", "profile": [[0, 0.2]], "options": {"method": method}}
    assert is_kept(lambda: burnt(usable_cpus(), **fifth), within=0.5)
