"""``pytest-twin constrain``, as typed."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys

import pytest
from constraining import BURN, need
from other_user import replace_systemd_run, run_as_nobody

COMMAND = [sys.executable, "-m", "pytest_twin", "constrain"]
BARE = [sys.executable, "-S", "-c"]  # without what measures the coverage, which takes CPU time after the last print
LAST_LINE = re.compile(
    r"pytest-twin: constrain (?P<constraint>.+) by (?P<backend>.+): (?P<cpu_s>[\d.]+) s of CPU time, "
    r"(throttled for (?P<throttled_s>[\d.]+) s, )?(largest process|peak memory) (below )?[\d.]+[KMG]iB\n"
)


@pytest.fixture
def constrained():
    """Runs a command under a quota of CPU time."""
    need(cpu="0.5")

    def run(*words, **options):
        return subprocess.run([*COMMAND, *words], capture_output=True, text=True, check=False, **options)

    return run


def test_a_command_has_no_more_cpu_time_than_it_may(constrained):
    program = f"{BURN}\nprint(is_within(0.25, cpu_s=0.3), time.process_time())"
    done = constrained("--cpu", "0.25", "--", *BARE, program)
    within, used_s = done.stdout.split()
    assert (done.returncode, within) == (0, "True")
    told = LAST_LINE.fullmatch(done.stderr)
    assert told["constraint"] == "cpu=0.25"
    assert float(told["cpu_s"]) == pytest.approx(float(used_s), abs=0.2)
    assert float(told["throttled_s"]) >= 0


@pytest.mark.parametrize("limit", [["--mem", "1GiB"], ["--cpus", "1"]])
def test_the_memory_of_its_process_before_is_not_told_as_that_of_the_command(limit):
    small = subprocess.run([*COMMAND, *limit, "true"], capture_output=True, text=True, check=False)
    assert re.search(r"(largest process|peak memory) below [\d.]+MiB\n", small.stderr), small.stderr
    large = subprocess.run([*COMMAND, *limit, *BARE, "b'x' * (200 << 20)"], capture_output=True, text=True, check=False)
    assert float(re.search(r"(?:process|memory) ([\d.]+)MiB\n", large.stderr)[1]) > 200


def test_the_cpu_time_of_a_short_command_is_told_in_full():
    program = "import time\nwhile time.process_time() < 0.08: pass"
    done = subprocess.run([*COMMAND, "--mem", "1GiB", *BARE, program], capture_output=True, text=True, check=False)
    assert float(LAST_LINE.fullmatch(done.stderr)["cpu_s"]) >= 0.08


BOTH_BURN = """
import os, signal

child = os.fork()
while not child:
    pass

def used():
    return time.process_time() + time.clock_gettime(~child << 3 | 2)  # the other's CPU clock: clock_getcpuclockid(3)

print(is_within(0.5, 0.4, used), used())
os.kill(child, signal.SIGKILL)
os.wait()
"""


def test_its_children_are_constrained_with_it(constrained):
    done = constrained("--cpu", "0.5", "--period", "20ms", *BARE, f"{BURN}{BOTH_BURN}")
    within, used_s = done.stdout.split()
    assert within == "True"
    assert float(LAST_LINE.fullmatch(done.stderr)["cpu_s"]) == pytest.approx(float(used_s), abs=0.2)


def test_standard_streams_and_arguments_pass_through(constrained):
    done = constrained("--cpu", "0.5", "--", "sh", "-c", 'cat; echo "$@" >&2', "sh", "--cpu", "a b", input="hello")
    assert done.stdout == "hello"
    assert done.stderr.startswith("--cpu a b\n")


@pytest.mark.parametrize(("program", "status"), [("exit 7", 7), ("kill -TERM $$", 143), ("kill -KILL $$", 137)])
def test_it_exits_as_the_command_does(constrained, program, status):
    assert constrained("--cpu", "0.5", "sh", "-c", program).returncode == status


@pytest.mark.parametrize(
    ("command", "status", "why"),
    [("no-such-command", 127, "No such file or directory"), (os.devnull, 126, "Permission denied")],
)
def test_a_command_that_cannot_be_started_is_told(constrained, command, status, why):
    done = constrained("--cpu", "0.5", command)
    assert done.returncode == status
    assert done.stderr.startswith(f"pytest-twin constrain: {command}: {why}\n")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGUSR1])
def test_a_signal_is_passed_on_to_the_command(number):
    need(cpu="0.5")
    program = f"trap 'echo caught; exit 5' {int(number)}; echo ready; while :; do sleep 0.05; done"
    with subprocess.Popen(
        [*COMMAND, "--cpu", "0.5", "sh", "-c", program], stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout.readline() == "ready\n"
        process.send_signal(number)
        assert process.stdout.read() == "caught\n"
    assert process.returncode == 5


def test_a_killed_run_takes_its_command_with_it():
    need(cpu="0.5")
    program = "echo ready; exec sleep 600"
    with subprocess.Popen(
        [*COMMAND, "--cpu", "0.5", "sh", "-c", program], stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout.readline() == "ready\n"
        process.kill()
        assert process.stdout.read() == ""  # the command holds the other end until it ends


@pytest.mark.parametrize(
    ("words", "lines"),
    [
        (["true"], ["nothing to constrain; give a limit such as --cpu 0.5"]),
        (["--cpu", "0.5"], ["Missing argument 'COMMAND...'."]),
        (
            ["--cpu", "x", "--mem", "1MiB", "true"],
            [
                "--cpu: 'x' is not an amount; give a number of CPUs such as 0.5, or a share such as \"25%\"",
                "--mem: '1MiB' is less than 16.0MiB",
            ],
        ),
        (
            ["--period", "5ms", "true"],
            ["--period: needs cpu=, the CPU time that may be used in each period"],
        ),
        (["--cpu", "5000", "true"], ["--cpu: 5000 is more than the *"]),
        (["--mem", "900TiB", "true"], ["--mem: 921600.0GiB is more than the memory of *"]),
        (["--backend", "hope", "--cpu", "1", "true"], ["Invalid value for '--backend': 'hope' is not one of *"]),
    ],
)
def test_a_mistake_is_told_before_anything_starts(words, lines):
    done = subprocess.run([*COMMAND, *words], capture_output=True, text=True, check=False)
    assert done.returncode == 2
    told = done.stderr.partition("Error: ")[2].splitlines()
    assert len(told) == len(lines)
    assert all(line.startswith(begin.removesuffix("*")) for line, begin in zip(told, lines, strict=True))


def test_what_cannot_be_enforced_is_told_and_the_command_is_not_started():
    done = run_as_nobody(*COMMAND, "--cpu", "0.5", "--backend", "control-group", "echo", "started", cwd="/")
    assert (done.returncode, done.stdout) == (1, "")
    assert re.fullmatch(
        r"Error: cannot constrain cpu: control group: .+: Permission denied; the command was not started\n", done.stderr
    )


@pytest.fixture
def systemd_run(tmp_path, monkeypatch):
    """Puts a program in the place of systemd-run, which notes its arguments and runs the rest."""
    monkeypatch.setenv("PATH", replace_systemd_run(tmp_path)["PATH"])
    return lambda: (tmp_path / "calls").read_text().splitlines()


def test_with_systemd_it_starts_again_within_a_scope(constrained, systemd_run):
    done = constrained("--cpu", "0.5", "--backend", "systemd", "sh", "-c", "echo $PYTEST_TWIN_SCOPE; exit 3")
    if "cannot constrain" in done.stderr:
        pytest.skip(done.stderr)  # the scope is none: only the control groups of this process are there
    assert (done.returncode, done.stdout) == (3, "1\n")
    probe, start = systemd_run()
    scope = "--user --scope --quiet -p Delegate=yes --"
    assert probe == f"{scope} true"
    assert start.startswith(f"{scope} {sys.executable} ")
    assert start.endswith("constrain --cpu 0.5 --backend systemd sh -c echo $PYTEST_TWIN_SCOPE; exit 3")


@pytest.fixture
def without_group(systemd_run, tmp_path):
    """Runs a command as a user who may make no control groups; the scope of this test is none, so that none is found.

    It returns what was printed, and how often systemd-run was called: once to try it, and once to start again.
    """
    for folder in (tmp_path, *tmp_path.parents[:2]):
        folder.chmod(0o755)

    def run(*words):
        return run_as_nobody(*COMMAND, *words, cwd="/"), len(systemd_run())

    return run


def test_without_a_control_group_it_prefers_a_scope_to_stop_signals(without_group):
    done, calls = without_group("--cpu", "0.5", "echo", "hello")
    assert done.stdout == "hello\n", done.stderr
    assert (LAST_LINE.fullmatch(done.stderr)["backend"], calls) == ("stop signals", 2)


def test_without_a_control_group_it_prefers_a_scope_to_watching_memory(without_group):
    done, calls = without_group("--mem", "1GiB", *BARE, "b'x' * (200 << 20)")
    assert (LAST_LINE.fullmatch(done.stderr)["backend"], calls) == ("memory watch", 2)
    assert float(re.search(r"peak memory ([\d.]+)MiB\n", done.stderr)[1]) > 200  # also between two looks


def test_a_command_within_a_scope_has_no_signals_blocked(without_group):
    done, calls = without_group("--cpu", "0.5", "sh", "-c", "kill -TERM $$; echo it goes on")
    assert (done.returncode, done.stdout, calls) == (128 + signal.SIGTERM, "", 2)


def test_a_scope_that_cannot_be_started_is_told(constrained, systemd_run, tmp_path):
    (tmp_path / "bin" / "systemd-run").write_text("#!/bin/sh\necho Failed to connect to bus >&2\nexit 1\n")
    done = constrained("--cpu", "0.5", "--backend", "systemd", "echo", "started")
    assert (done.returncode, done.stdout) == (1, "")
    line = "systemd-run cannot start a scope: Failed to connect to bus; the command was not started"
    assert done.stderr == f"Error: {line}\n"


def test_less_cpu_time_within_a_tighter_group_is_told_and_is_no_fault(constrained):
    inner = [*COMMAND, "--cpu", "0.4", "--", sys.executable, "-c", ""]
    done = constrained("--cpu", "0.2", "--", *inner)
    told = done.stderr.splitlines()
    assert (done.returncode, len(told)) == (0, 2)
    if "control group v1" in told[0]:  # in version 2 the kernel keeps to both
        assert told[0].endswith(", reduced to 0.2 CPUs by the group around it")
