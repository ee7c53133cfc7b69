"""Constraints of a session whose process cannot be constrained: it starts again, or goes on in a child."""

from __future__ import annotations

import json
import os
import pty
import re
import select
import shutil
import signal
import sys
import time
from contextlib import suppress

import psutil
import pytest
from constraining import BURN
from inner_runs import Left
from other_user import as_nobody, replace_systemd_run, run_as_nobody

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="constraints need Linux")

SUITE = f"""{BURN}
import pytest

def test_is_slowed_down(): assert is_within(0.4, 0.3)

@pytest.mark.constrain(cpu=0.25)
def test_is_marked(): assert is_within(0.4, 0.3)

def test_waits():
    for _ in range(600):
        print("it", "waits", flush=True)
        time.sleep(0.1)
"""
PYTEST = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-p", "no:rerunfailures"]


def backends(path):
    """The names of what enforced the constraints."""
    ends = [row for row in Left(path / "twin-report").events if (row["type"], row["event"]) == ("constraint", "end")]
    return [json.loads(row["detail"])["backend"] for row in ends]


class Shell:
    """An interactive shell of an ordinary user, in a terminal of its own."""

    def __init__(self, path):
        self.pid, self.terminal = pty.fork()
        if self.pid == 0:
            os.chdir(path)
            words = as_nobody("bash", "--norc", "--noediting", "-i")
            os.execvpe(words[0], words, {**os.environ, "PS1": "", "TERM": "dumb"})  # noqa: S606 - a fork of this test
        self.seen = self.output = ""  # up to the last match; behind it

    def type(self, text):
        os.write(self.terminal, text.encode())

    def read_until(self, pattern):
        deadline = time.monotonic() + 60
        while (found := re.search(pattern, self.output)) is None:
            assert select.select([self.terminal], [], [], deadline - time.monotonic())[0], self.output
            self.output += os.read(self.terminal, 4096).decode(errors="replace")
        self.seen, self.output = self.output, self.output[found.end() :]
        return found

    def run(self, *words):
        """Start pytest; the line that it ends with is "status N"."""
        self.type(" ".join([*PYTEST, *words, "; echo status $?\n"]))


@pytest.fixture
def shell(nobodys_path):
    if shutil.which("bash") is None:
        pytest.skip("no bash")
    (nobodys_path / "test_it.py").write_text(SUITE, encoding="utf-8")
    shell = Shell(nobodys_path)
    yield shell
    for process in reversed(psutil.Process(shell.pid).children(recursive=True)):
        with suppress(psutil.NoSuchProcess):
            process.kill()
    os.kill(shell.pid, signal.SIGKILL)
    os.waitpid(shell.pid, 0)
    os.close(shell.terminal)


@pytest.mark.slow
@pytest.mark.parametrize(
    "words",
    [
        ["-k", "slowed", "--twin-constrain=cpu=0.25"],
        ["-k", "marked"],
        ["-k", "marked", "--twin"],
        ["-k", "slowed", "--twin-schedule=plan.json"],
    ],
    ids=["option", "mark", "mark of a recorded run", "schedule"],
)
def test_it_is_constrained_in_a_shell_with_job_control(shell, nobodys_path, words):
    plan = [{"start": 0, "duration": "20s", "constrain": "cpu=0.25"}]
    (nobodys_path / "plan.json").write_text(json.dumps({"version": 1, "events": plan}), encoding="utf-8")
    shell.run(*words)
    assert shell.read_until(r"status (\d+)\r")[1] == "0", shell.seen
    assert backends(nobodys_path) == ["stop signals"]


@pytest.mark.slow
def test_a_mark_that_cannot_be_enforced_names_the_cause_and_the_commands_that_help(shell, nobodys_path):
    thread = "import threading, time\nthreading.Thread(target=lambda: time.sleep(60), daemon=True).start()"
    (nobodys_path / "conftest.py").write_text(thread, encoding="utf-8")
    shell.run("-rN", "-k", "marked")
    assert shell.read_until(r"status (\d+)\r")[1] == "1", shell.seen
    told = re.search(r"bash \(process \d+\) would take .*", " ".join(shell.seen.split()))[0]
    assert (
        "and pytest cannot go on in a child, since it has a thread of conftest; use --twin-constrain cpu=0.25, " in told
    )
    assert "or `pytest-twin constrain --cpu 0.25 -- COMMAND`" in told


@pytest.mark.slow
def test_check_tells_what_can_be_constrained_in_a_shell_with_job_control(shell):
    shell.type(f"{sys.executable} -m pytest_twin check --seconds 0.1; echo status $?\n")
    assert shell.read_until(r"status (\d+)\r")[1] == "0", shell.seen
    told = " ".join(shell.seen.split())
    ways = "--twin-constrain or `pytest-twin constrain`, and with a mark unless pytest has threads by then"
    assert f"constrain cpu: by stop signals with {ways} constrain cpus: by CPU affinity constrain mem: by stop" in told


@pytest.mark.slow
def test_the_shell_can_stop_and_interrupt_it(shell, nobodys_path, eventually):
    shell.run("-s", "-k", "waits", "--twin-constrain=cpu=0.25")
    shell.read_until("it waits")
    shell.type("\x1a")  # Ctrl-Z
    shell.read_until(r"Stopped.*\n")
    shell.type("fg\n")
    shell.read_until("it waits")
    shell.type("\x03")  # Ctrl-C
    shell.read_until("KeyboardInterrupt")
    shell.type("echo status $?\n")
    assert shell.read_until(r"status (\d+)\r")[1] == str(int(pytest.ExitCode.INTERRUPTED))
    assert Left(nobodys_path / "twin-report").tests[0]["outcome"] == "interrupted"
    eventually(lambda: not psutil.Process(shell.pid).children())


@pytest.mark.parametrize(("number", "status"), [(signal.SIGTERM, 143), (signal.SIGKILL, 137)])
def test_a_signal_for_the_process_that_waits_ends_the_tests(shell, eventually_gone, number, status):
    shell.run("-s", "-k", "waits", "--twin-constrain=cpu=0.25")
    shell.read_until("it waits")
    [waiting] = psutil.Process(shell.pid).children()
    rest = waiting.children(recursive=True)
    waiting.send_signal(number)
    assert shell.read_until(r"status (\d+)\r")[1] == str(status)
    eventually_gone(rest)


@pytest.mark.slow
def test_without_a_control_group_pytest_starts_again_in_a_scope_of_systemd(nobodys_path):
    """The scope of this test is none, so that it comes to stop signals all the same, but once only."""
    (nobodys_path / "test_it.py").write_text(SUITE, encoding="utf-8")
    environment = replace_systemd_run(nobodys_path)
    words = [*PYTEST, "-k", "slowed", "--twin-constrain=cpu=0.25"]
    done = run_as_nobody(*words, cwd=nobodys_path, env=environment)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count("test session starts") == 1
    probe, start = (nobodys_path / "calls").read_text(encoding="utf-8").splitlines()
    assert probe == "--user --scope --quiet -p Delegate=yes -- true"
    assert start.startswith("--user --scope --quiet -p Delegate=yes -- ")
    assert start.endswith(" ".join(words[1:]))


WITHIN_PROGRAM = [sys.executable, "-c", "import pytest; pytest.main()"]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("program", "options"), [(PYTEST, "--twin"), (WITHIN_PROGRAM, "--twin-constrain=cpu=0.5")], ids=["twin", "program"]
)
def test_nothing_starts_again_where_nothing_is_constrained_or_pytest_is_part_of_a_program(
    nobodys_path, program, options
):
    (nobodys_path / "test_it.py").write_text("def test_it(): pass", encoding="utf-8")
    (nobodys_path / "pytest.ini").write_text(f"[pytest]\naddopts = {options}", encoding="utf-8")
    environment = replace_systemd_run(nobodys_path)
    done = run_as_nobody(*program, cwd=nobodys_path, env=environment)
    assert "1 passed" in done.stdout
    assert not (nobodys_path / "calls").read_text(encoding="utf-8")
