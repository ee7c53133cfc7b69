"""Constraints by control groups, affinity and limits of memory; all is as before when they end."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
import threading
import time
from pathlib import Path
from types import SimpleNamespace

import psutil
import pytest
from constrained import (
    BUSY,
    CONTROL_GROUP,
    FORKS,
    IDLE,
    STOP_SIGNALS,
    beside,
    constraint,
    cpu_s,
    enforcer,
    groups_of,
    is_held,
    processes,
    seconds_used,
    tree,
)  # fmt: skip
from driving import BARE, ROOT, SOURCES

from pytest_twin.stressors.constraint import control_group
from pytest_twin.stressors.constraint.enforcer import find_backends

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="constraints need Linux")

MIB = 1 << 20


@pytest.fixture(scope="module")
def backends():
    return find_backends()


@pytest.fixture
def limit(backends):
    """A constraint by a control group; the test is skipped where it cannot be had."""

    def limit(pid, **options):
        for resource_name in options:
            if why := backends.get(resource_name, {}).get(CONTROL_GROUP):
                pytest.skip(why)
        return constraint(pid, backend=CONTROL_GROUP, **options)

    return limit


def groups(pid):
    return {each.pid: Path(f"/proc/{each.pid}/cgroup").read_text() for each in tree(pid)}


@pytest.mark.slow
def test_several_processes_use_the_quota_together(supervisor, limit, eventually):
    with processes(FORKS.format(2) + BUSY) as tests:
        eventually(lambda: len(tree(tests.pid)) == 4)
        before = cpu_s(tests.pid)
        supervisor.applied(**limit(tests.pid, cpu=0.2))
        assert is_held(tests.pid, 0.26, seconds=2)
        eventually(lambda: supervisor.achieved()["stalls"] > 3)
        ended = supervisor.stopped()["achieved"]
        assert ended["backend"].startswith("control group v")
        assert 0 < ended["tests_cpu_s"] < cpu_s(tests.pid) - before + 0.1


def test_the_file_with_the_throttled_time_can_be_read_meanwhile(supervisor, limit, eventually):
    def throttled() -> int:
        fields = dict(line.split() for line in stat.read_text().splitlines())
        return int(fields.get("throttled_usec") or fields["throttled_time"])

    with processes(BUSY) as tests:
        supervisor.applied(**limit(tests.pid, cpu=0.1))
        stat = Path(supervisor.achieved()["stat"])
        eventually(lambda: throttled() > 0)


def test_every_process_is_back_in_its_own_group_at_the_end(supervisor, limit, eventually):
    with processes(FORKS.format(2) + BUSY) as tests:
        eventually(lambda: len(tree(tests.pid)) == 4)
        before = groups(tests.pid)
        ready = supervisor.applied(**limit(tests.pid, cpu=0.5))
        assert not set(groups(tests.pid).values()) & set(before.values())
        assert groups_of(*ready["pids"])
        supervisor.stopped()
        eventually(lambda: groups(tests.pid) == before)
    eventually(lambda: not groups_of(*ready["pids"]))


def test_a_child_that_was_started_meanwhile_goes_to_the_group_of_the_tests(supervisor, limit, eventually):
    program = "import os, sys\nsys.stdin.readline()\nif os.fork(): print('forked', flush=True)\n" + IDLE
    with processes(program, stdin=subprocess.PIPE) as tests:
        home = groups(tests.pid)[tests.pid]
        supervisor.applied(**limit(tests.pid, cpu=0.5))
        print("go", file=tests.stdin, flush=True)
        assert tests.stdout.readline() == "forked\n"
        assert home not in groups(tests.pid).values()
        supervisor.stopped()
        eventually(lambda: [*groups(tests.pid).values()] == [home, home])


@pytest.mark.parametrize("victim", ["enforcer", "supervisor"])
def test_the_guardian_undoes_everything_when_another_process_of_ours_is_killed(supervisor, limit, eventually, victim):
    with processes(BUSY) as tests:
        before = groups(tests.pid), psutil.Process(tests.pid).cpu_affinity()
        supervisor.applied(**limit(tests.pid, cpu=0.05, cpus=1, mem=256 * MIB))
        works = enforcer(supervisor.process.pid)
        (works if victim == "enforcer" else psutil.Process(supervisor.process.pid)).kill()
        eventually(lambda: (groups(tests.pid), psutil.Process(tests.pid).cpu_affinity()) == before)
        eventually(lambda: not groups_of(works.pid))
        limits = resource.getrlimit(resource.RLIMIT_DATA)
        eventually(lambda: resource.prlimit(tests.pid, resource.RLIMIT_DATA) == limits)


def test_a_constraint_removes_the_groups_of_one_whose_guardian_was_killed_too(supervisor, limit, eventually):
    with processes(IDLE) as tests, processes(IDLE) as lost:
        kept = supervisor.applied("kept", **limit(tests.pid, cpu=0.5))["pids"]
        (left,) = supervisor.applied("lost", **limit(lost.pid, cpu=0.5))["pids"]
        for each in (*psutil.Process(left).children(), psutil.Process(left)):
            each.kill()
        assert supervisor.hear()["event"] == "abort"
        supervisor.applied("beside", **limit(tests.pid, cpu=0.4))
        assert groups_of(left)  # it has a process
    with processes(IDLE) as tests:
        supervisor.stopped("beside")

        def is_removed() -> bool:
            supervisor.applied("next", **limit(tests.pid, cpu=0.5))
            supervisor.stopped("next")
            return not groups_of(left)

        eventually(is_removed)  # the kernel lets go of processes a moment after they ended
        assert groups_of(*kept)


def test_a_group_in_another_one_of_ours_is_not_removed_as_it_is_made(limit, monkeypatch):
    hold, beside = control_group._hold, []

    def hold_late(folder: str) -> None:
        if not beside and is_nested(folder):
            beside.append(threading.Thread(target=lambda: made.append(new_group(other.pid))))
            beside[0].start()
            beside[0].join(0.2)  # it waits for us
        hold(folder)

    def is_nested(folder: str) -> bool:
        return control_group.PREFIX in os.path.dirname(folder)

    def new_group(pid: int) -> control_group.ControlGroup:
        return control_group.ControlGroup(pid, control_group.find_hierarchy("cpu"), SimpleNamespace(add=ignore))

    def ignore(*_: object, **__: object) -> None:
        pass

    monkeypatch.setattr(control_group, "_hold", hold_late)
    made: list[control_group.ControlGroup] = []
    with processes(IDLE) as tests, processes(IDLE) as other:
        limit(tests.pid, cpu=0.5)  # skips where there are no groups
        made.append(new_group(tests.pid))
        try:
            made[0].adopt(())
            made.append(new_group(tests.pid))
            beside[0].join()
            assert [os.path.isdir(each.folder) for each in made] == [True] * 3
            assert is_nested(made[1].folder) or is_nested(made[2].folder)
        finally:
            for each in made:
                control_group.undo_group({"folder": each.folder, "parent": each.parent, "version": each.version})


@pytest.mark.slow
def test_constraints_nest_and_the_inner_one_has_at_most_the_quota_of_the_outer(supervisor, limit, eventually):
    with processes(BUSY) as tests:
        before = groups(tests.pid)
        supervisor.applied("outer", **limit(tests.pid, cpu=0.3))
        supervisor.applied("inner", **limit(tests.pid, cpu=0.1))
        assert is_held(tests.pid, 0.15)
        supervisor.stopped("inner")
        supervisor.applied("larger", **limit(tests.pid, cpu=0.6))
        assert is_held(tests.pid, 0.4)
        larger = supervisor.stopped("larger")["achieved"]
        assert larger.get("effective_cpus", 0.3) == pytest.approx(0.3)  # in version 2 the kernel keeps to both
        supervisor.stopped("outer")
        eventually(lambda: groups(tests.pid) == before)


def test_constraints_that_end_in_another_order_leave_nothing(supervisor, limit, eventually):
    with processes(BUSY) as tests:
        before = groups(tests.pid)
        pids = [
            *supervisor.applied("outer", **limit(tests.pid, cpu=0.5))["pids"],
            *supervisor.applied("inner", **limit(tests.pid, cpu=0.2))["pids"],
        ]
        supervisor.stopped("outer")
        assert is_held(tests.pid, 0.3)  # the inner one is still in force
        supervisor.stopped("inner")
        eventually(lambda: groups(tests.pid) == before and not groups_of(*pids))


@pytest.mark.slow
def test_the_end_of_a_constraint_lifts_its_own_limit_only(supervisor, limit, eventually):
    with processes(BUSY) as tests:
        before = groups(tests.pid)
        for name, cpu in (("outer", 0.1), ("middle", 0.08), ("inner", 0.06)):
            pids = supervisor.applied(name, **limit(tests.pid, cpu=cpu))["pids"]
        supervisor.stopped("middle")
        assert is_held(tests.pid, 0.09)
        supervisor.stopped("outer")
        assert is_held(tests.pid, 0.09)
        supervisor.stopped("inner")
        eventually(lambda: groups(tests.pid) == before and not groups_of(*pids))


def test_a_supervisor_that_was_started_within_the_tests_leaves_the_group(supervisor, limit, eventually):
    program = (
        f"import subprocess\ns = subprocess.Popen({[*BARE, str(SOURCES / '__main__.py')]!r}, stdin=-1, stdout=-1)\n"
        f"print(s.stdout.readline(), flush=True)\n{BUSY}"
    )
    with processes(program) as tests:
        home = groups(tests.pid)[tests.pid]
        supervisor.applied(**limit(tests.pid, cpu=0.2))
        eventually(lambda: len(tree(tests.pid)) > 1)
        inner = next(each for each in tree(tests.pid) if each.pid != tests.pid)
        eventually(lambda: groups(tests.pid)[inner.pid] in beside(home))
        assert groups(tests.pid)[tests.pid] not in beside(home)


@pytest.mark.slow
def test_a_pause_lifts_the_quota(supervisor, limit, eventually):
    with processes(BUSY) as tests:
        supervisor.applied(**limit(tests.pid, cpu=0.02))
        supervisor.send({"op": "pause", "reason": "pdb"})
        assert supervisor.hear()["event"] == "paused"
        eventually(lambda: seconds_used(tests.pid, 1) > 0.06)
        supervisor.send({"op": "resume", "reason": "pdb"})
        assert supervisor.hear()["event"] == "resumed"
        assert is_held(tests.pid, 0.06)


def test_threads_run_on_as_many_cpus_and_get_their_own_back(supervisor, eventually):
    if len(os.sched_getaffinity(0)) < 2:
        pytest.skip("there is one CPU only")
    program = "import threading, time\nthreading.Thread(target=time.sleep, args=(99,)).start()\n" + IDLE
    with processes(program) as tests:
        allowed = os.sched_getaffinity(tests.pid)
        last = max(allowed)
        while len(threads := [int(name) for name in os.listdir(f"/proc/{tests.pid}/task")]) < 2:
            time.sleep(0.01)
        os.sched_setaffinity(threads[1], {last})
        supervisor.applied(**constraint(tests.pid, cpus=1))
        held = [os.sched_getaffinity(thread) for thread in threads]
        assert len(set.union(*held)) == 1
        assert supervisor.stopped()["achieved"]["backend"] == "CPU affinity"
        eventually(lambda: [os.sched_getaffinity(thread) for thread in threads] == [allowed, {last}])


GREEDY = """
import sys
sys.stdin.readline()
try:
    bytearray(300 << 20)
except MemoryError:
    print('MemoryError', flush=True)
bytearray(20 << 20)
print('goes on', flush=True)
sys.stdin.readline()
"""


@pytest.mark.parametrize("backend", [CONTROL_GROUP, STOP_SIGNALS])
def test_the_tests_own_process_gets_memory_error_and_goes_on(supervisor, backends, eventually, backend):
    if why := backends["mem"][backend]:
        pytest.skip(why)
    with processes(GREEDY, stdin=subprocess.PIPE) as tests:
        before = resource.prlimit(tests.pid, resource.RLIMIT_DATA)
        supervisor.applied(**constraint(tests.pid, mem=128 * MIB, backend=backend))
        print("go", file=tests.stdin, flush=True)
        assert [tests.stdout.readline() for _ in range(2)] == ["MemoryError\n", "goes on\n"]
        supervisor.stopped()
        eventually(lambda: resource.prlimit(tests.pid, resource.RLIMIT_DATA) == before)


def test_the_largest_child_is_killed_where_memory_is_watched(supervisor, eventually):
    program = (
        "import subprocess, sys, time\nsys.stdin.readline()\n"
        "fill = 'import time; x = [bytearray(b\"x\" * (1 << 20)) for _ in range({})]; time.sleep(60)'\n"
        "small, large = (subprocess.Popen([sys.executable, '-S', '-c', fill.format(n)], stdout=-3) for n in (30, 45))\n"
        "print(large.wait(), small.poll(), flush=True)\n"
    )
    with processes(program, stdin=subprocess.PIPE) as tests:
        supervisor.applied(**constraint(tests.pid, mem=80 * MIB, backend=STOP_SIGNALS))
        print("go", file=tests.stdin, flush=True)
        assert tests.stdout.readline() == "-9 None\n"
        eventually(lambda: supervisor.achieved()["oom_kills"] > 0)
        assert supervisor.stopped()["achieved"]["oom_kills"] == 1


def test_less_memory_than_is_in_use_is_an_error(supervisor, eventually):
    def private_bytes() -> int:
        memory = psutil.Process(tests.pid).memory_info()
        return memory.rss - memory.shared

    with processes(IDLE) as tests:
        eventually(lambda: private_bytes() > 2 * MIB)
        supervisor.apply(**constraint(tests.pid, mem=1 * MIB, backend=STOP_SIGNALS))
        reason = supervisor.hear()["reason"]
        assert "MiB already, which is not below 1 MiB" in reason


def test_trying_the_backends_leaves_nothing(backends):
    assert set(backends) == {"cpu", "cpus", "mem", "io"}
    assert backends["cpus"] == {"CPU affinity": ""}
    assert not groups_of(os.getpid())


SCHEDULING = """
import os, sys
sys.path.insert(0, sys.argv[1])
from pytest_twin.stressors.constraint.enforcer import find_backends
def scheduling():
    try:
        with open("/proc/self/sched") as file:
            return [line for line in file if line.startswith(("prio ", "se.slice "))]
    except FileNotFoundError:  # of a kernel without it
        return os.getpriority(os.PRIO_PROCESS, 0)
before = scheduling()
find_backends()
print(before == scheduling() or (before, scheduling()))
"""


def test_trying_the_backends_leaves_the_priority_of_this_process():
    done = subprocess.run([*BARE, "-c", SCHEDULING, str(ROOT)], capture_output=True, text=True, check=True)
    assert done.stdout == "True\n"


IMPORTS = """
import sys
pid, sys.path[0:0] = int(sys.argv[1]), [sys.argv[2]]
from pytest_twin.stressors.constraint import enforcer
enforcer.workers(None)
before = set(sys.modules)
from pytest_twin.stressors.constraint import backends
constraint = backends.Backends({"pid": pid, "cpu": 0.5, "cpus": 1, "mem": 1 << 30})
try:
    for part in constraint.begin():
        part.restart()
        part.figures()
finally:
    constraint.undo()
print(sorted(set(sys.modules) - before))
"""


def test_an_enforcer_imports_nothing_that_the_supervisor_has_not_imported_for_all_of_them(backends):
    if all(backends["mem"].values()):
        pytest.skip("; ".join(backends["mem"].values()))
    with processes(IDLE) as tests:
        command = [*BARE, "-c", IMPORTS, str(tests.pid), str(ROOT)]
        assert subprocess.run(command, capture_output=True, text=True, check=True).stdout == "[]\n"


@pytest.fixture
def group_of_version_2(eventually):
    """A group of version 2 with two processes, and a controller that its children could have."""
    mount = next((each for each in ("/sys/fs/cgroup", "/sys/fs/cgroup/unified") if _has_controllers(each)), None)
    if mount is None:
        pytest.skip("no hierarchy of version 2 with controllers")
    folder = Path(mount) / f"twin-test-{os.getpid()}"
    controller = (Path(mount) / "cgroup.controllers").read_text().split()[-1]
    had = (Path(mount) / "cgroup.subtree_control").read_text().split()
    try:
        (Path(mount) / "cgroup.subtree_control").write_text(f"+{controller}")
        folder.mkdir()
    except OSError as error:
        pytest.skip(f"no group can be made: {error}")
    with processes(IDLE) as tests, processes(IDLE) as other:
        for process in (tests, other):
            (folder / "cgroup.procs").write_text(str(process.pid))
        yield folder, controller, tests.pid, other.pid
    eventually(lambda: not (folder / "cgroup.procs").read_text())
    folder.rmdir()
    if controller not in had:
        (Path(mount) / "cgroup.subtree_control").write_text(f"-{controller}")


def _has_controllers(mount):
    path = Path(mount) / "cgroup.controllers"
    return path.exists() and bool(path.read_text().strip())


@pytest.mark.parametrize(
    ("mounted", "found"), [([(2, "io")], 2), ([(2, "cpu"), (1, "blkio")], 1), ([(2, "cpu"), (1, "cpu")], None)]
)
def test_the_controller_of_disks_has_a_name_of_its_own_in_each_version(monkeypatch, mounted, found):
    each = [control_group.Hierarchy(version, frozenset([name]), "/mount", "/") for version, name in mounted]
    monkeypatch.setattr(control_group, "find_hierarchies", lambda: each)
    if found:
        assert control_group.find_hierarchy("io", "blkio").version == found
    else:
        with pytest.raises(OSError, match="has the controller io or blkio"):
            control_group.find_hierarchy("io", "blkio")


def test_other_processes_of_a_group_of_version_2_wait_beside_and_come_back(group_of_version_2):
    from pytest_twin.stressors.constraint import backends, control_group, guardian

    folder, controller, tests, other = group_of_version_2
    hierarchy = next(each for each in control_group.find_hierarchies() if each.version == 2)
    journal = guardian.Journal(backends.UNDO)
    group = control_group.ControlGroup(tests, hierarchy, journal)
    group.enable(controller)
    group.adopt(set())
    second = control_group.ControlGroup(other, hierarchy, journal)  # as of another worker of pytest-xdist
    second.enable(controller)
    second.adopt(set())
    assert (group.processes(), second.processes()) == ([tests], [other])
    assert Path(second.folder).parent == folder
    assert controller in (folder / "cgroup.subtree_control").read_text().split()
    journal.undo()
    assert {*map(int, (folder / "cgroup.procs").read_text().split())} == {tests, other}
    assert [path for path in folder.iterdir() if path.is_dir()] == []
