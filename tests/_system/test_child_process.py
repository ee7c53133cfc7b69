"""Child processes of the plugin: their usage is kept out of the tests', and they run in the context of the run."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from itertools import count

import pytest

from pytest_twin._system import child_process

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="waitid(2), getrusage(2) of children, /proc")
if sys.platform != "win32":
    import resource

BURN = [sys.executable, "-S", "-c", "import time\nwhile time.process_time() < 0.3: pass"]


@pytest.fixture
def children_s():
    """CPU seconds of children from now on, without those of the plugin."""

    def cpu_s() -> float:
        usage = child_process.subtract_own_children(resource.getrusage(resource.RUSAGE_CHILDREN))
        return usage[0] + usage[1]

    before = cpu_s()
    return lambda: cpu_s() - before


@pytest.mark.parametrize(
    "end",
    [
        child_process.AccountedPopen.wait,
        child_process.AccountedPopen.communicate,
        child_process.AccountedPopen.__exit__,
    ],
)
def test_one_that_is_waited_for_is_left_out(children_s, end):
    process = child_process.AccountedPopen(BURN)
    end(process, *([None] * 3 if end is child_process.AccountedPopen.__exit__ else []))
    assert process.returncode == 0
    assert children_s() == pytest.approx(0, abs=0.05)


def test_one_that_is_only_looked_at_is_left_out(children_s, eventually):
    process = child_process.AccountedPopen(BURN)
    eventually(lambda: process.poll() is not None)
    assert children_s() == pytest.approx(0, abs=0.05)


def test_children_that_are_not_ours_count(children_s):
    child_process.AccountedPopen(BURN).wait()
    with subprocess.Popen(BURN) as process:
        _, process.returncode, usage = os.wait4(process.pid, 0)
    assert children_s() == pytest.approx(usage.ru_utime + usage.ru_stime, abs=0.05)
    assert usage.ru_utime + usage.ru_stime > 0.25


def test_one_that_somebody_else_waited_for_is_no_error():
    process = child_process.AccountedPopen([sys.executable, "-S", "-c", ""])
    os.waitpid(process.pid, 0)
    assert process.wait() == 0


def test_wherever_a_look_at_one_is_interrupted_its_end_can_be_waited_for(interrupted):
    """By Ctrl-C, or a time limit: `Popen.poll` may be left with its lock taken."""
    for at in count():
        process = child_process.AccountedPopen(["sleep", "60"])
        came_that_far = interrupted(process.poll, at)
        process.kill()
        waiting = threading.Thread(target=process.wait, daemon=True)
        waiting.start()
        waiting.join(60)
        assert not waiting.is_alive(), at
        if not came_that_far:
            break
    assert at > 5


def test_the_highest_memory_of_children_stays_what_it_is():
    child_process.AccountedPopen(BURN).wait()
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert child_process.subtract_own_children(usage)[2] == usage.ru_maxrss > 0


# Context

CHANGED = """
import json, os, pathlib, resource, signal, sys
from pytest_twin.loads.supervisor_client import SupervisorClient

def state(pid):
    said = dict(line.split(":", 1) for line in pathlib.Path(f"/proc/{pid}/status").read_text().splitlines())
    return {
        "cpus": sorted(os.sched_getaffinity(pid)), "nice": os.getpriority(os.PRIO_PROCESS, pid),
        "core": resource.prlimit(pid, resource.RLIMIT_CORE), "size": resource.prlimit(pid, resource.RLIMIT_FSIZE),
        "cwd": os.readlink(f"/proc/{pid}/cwd"), "umask": said["Umask"].strip(),
        "blocked": int(said["SigBlk"], 16), "spam": b"SPAM=" in pathlib.Path(f"/proc/{pid}/environ").read_bytes(),
    }

resource.setrlimit(resource.RLIMIT_FSIZE, (8 << 20, 8 << 20))
os.umask(0o022)
supervisor, before = SupervisorClient(lambda *_: None, lambda _: None), state("self" and os.getpid())
os.sched_setaffinity(0, list(os.sched_getaffinity(0))[:1])
os.nice(3)
resource.setrlimit(resource.RLIMIT_CORE, (0, before["core"][1]))
resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, 8 << 20))
os.mkdir("elsewhere")
os.chdir("elsewhere")
os.umask(0o077)
os.environ["SPAM"] = "1"
signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGCHLD, signal.SIGTERM})
CHANGE_MORE
supervisor.start()
print(json.dumps([before, state(supervisor.pid)]))
supervisor.close()
"""


def changed(tmp_path, more: str = "") -> tuple[dict, dict]:
    command = [sys.executable, "-c", CHANGED.replace("CHANGE_MORE", more)]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    return tuple(json.loads(done.stdout))


def test_a_supervisor_that_starts_after_a_test_changed_its_process_has_what_the_run_had(tmp_path):
    before, now = changed(tmp_path)
    if before["nice"] != now["nice"]:  # which only privileged processes may lower
        now["nice"] = before["nice"]
    assert now == before


def test_a_working_directory_that_is_gone_keeps_nothing_from_starting(tmp_path):
    (tmp_path / "here").mkdir()
    before, now = changed(tmp_path / "here", "import shutil; shutil.rmtree(before['cwd'])")
    assert now["cwd"].startswith(before["cwd"])
    assert now["cpus"] == before["cpus"]


def test_a_limit_that_was_lowered_for_good_is_raised_as_far_as_it_goes(tmp_path):
    _, now = changed(tmp_path, "resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, 4 << 20))")
    assert now["size"] in ([8 << 20, 8 << 20], [4 << 20, 4 << 20])
