"""What we start has the surroundings of the run, whatever a test has made of those of its process."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc, and sets what Linux has")

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
