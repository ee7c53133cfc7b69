"""A /proc in which processes have other numbers: that of the host, seen from within a PID namespace."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from pytest_twin._system.procfs import numbers_agree

if TYPE_CHECKING:
    from control_groups import Group

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="PID namespaces")

TREES = """
import os
from pytest_twin.telemetry.probes import ProbeContext, trees
probe = trees.probe(ProbeContext(os.getpid()))
print(*{value for at in (1.0, 2.0) for value in probe.read(at)})
"""
GROUPS = """
import os
from pytest_twin.telemetry.probes import ProbeContext, cgroup
print(cgroup.probe(ProbeContext(os.getpid())).read(1.0)[1])
"""
METER = """
import subprocess, sys
from pytest_twin.telemetry.process_counters import ProcessCounters
meter = ProcessCounters(lambda: [own.pid])
burn = "import time\\nwhile time.process_time() < 0.2: pass\\nprint(flush=True); input()"
with subprocess.Popen([sys.executable, "-c", burn], stdin=-1, stdout=-1, text=True) as own:
    own.stdout.readline()
    print(meter.read_children().cpu_s < 0.1, meter.read_child_starts().living)
    own.communicate("")
"""


@pytest.fixture
def inside():
    """Runs a program in a PID namespace that has the host's /proc; comes back with what it printed."""

    def run(program: str, group: Group | None = None) -> str:
        enter = None if group is None else lambda: group.take(os.getpid())
        command = [shutil.which("unshare") or "", "--pid", "--fork", sys.executable, "-c"]
        if not command[0] or subprocess.run([*command, ""], capture_output=True, check=False).returncode:
            pytest.skip("a PID namespace cannot be made here")
        done = subprocess.run([*command, program], capture_output=True, text=True, check=True, preexec_fn=enter)
        return done.stdout

    return run


def test_here_they_agree():
    assert numbers_agree()


def test_where_there_is_no_proc_nothing_agrees(tmp_path):
    assert not numbers_agree(str(tmp_path))


def test_other_peoples_processes_are_not_taken_for_those_of_the_tests(inside):
    assert inside(TREES).strip() == "None"


def test_the_limits_are_those_of_the_run_and_not_of_the_hosts_first_process(inside, group):
    group.limit(cpus=0.5)
    assert inside(GROUPS, group).strip() == "0.5"


def test_a_child_of_ours_is_not_charged_to_the_test_under_another_number(inside):
    assert inside(METER).split() == ["True", "None"]
