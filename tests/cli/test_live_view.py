"""The live view of the subcommands, in a pseudo terminal and without one."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import threading

import pytest

COMMAND = [sys.executable, "-m", "pytest_twin"]
QUICK = ("--interval", "0.05", "--duration", "1s")
posix = pytest.mark.skipif(sys.platform == "win32", reason="there are no pseudo terminals")


@pytest.fixture
def in_terminal(tmp_path):
    """Runs a subcommand in a pseudo terminal; comes back with all that it showed there."""

    def run(*words, interrupt_at=()):
        import pty

        terminal, theirs = pty.openpty()
        with subprocess.Popen(
            [*COMMAND, *words], cwd=tmp_path, stdin=theirs, stdout=theirs, stderr=theirs, env=terminal_environment()
        ) as process:
            os.close(theirs)
            killer = threading.Timer(120, process.kill)
            killer.start()
            shown = ""
            while chunk := read(terminal):
                shown += chunk.decode(errors="replace")
                if interrupt_at and all(word in shown for word in interrupt_at):
                    process.send_signal(signal.SIGINT)
                    interrupt_at = ()
        killer.cancel()
        os.close(terminal)
        assert process.returncode == 0 or ": starved: " in shown, shown  # others had the CPUs
        return shown

    return run


def terminal_environment():
    return {**os.environ, "TERM": "xterm", "COLUMNS": "100", "LINES": "30", "PYTHONIOENCODING": "utf-8"}


def read(terminal):
    try:
        return os.read(terminal, 1 << 16)
    except OSError:  # what Linux says when the last process has closed it
        return b""


def test_where_there_is_no_terminal_it_is_plain_lines_that_fit_80_columns(tmp_path):
    command, pipe = [*COMMAND, "record", "--interval", "0.05"], subprocess.PIPE
    with subprocess.Popen(command, cwd=tmp_path, stdout=pipe, stderr=pipe, text=True) as recording:
        first = recording.stderr.readline()
        recording.send_signal(signal.SIGINT)
        text = first + recording.stderr.read()
        recording.communicate(timeout=60)
    assert recording.returncode == 0
    assert re.match(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ  twin-report .*CPU .* %\s+memory ", text, re.DOTALL)
    assert max(map(len, text.splitlines())) <= 80
    assert all(line.isprintable() for line in text.splitlines())


@posix
def test_in_a_terminal_it_is_drawn_over_again_and_stays_above_the_summary(in_terminal):
    shown = in_terminal("record", *QUICK)
    frames = re.split(r"\x1b\[\d+A", shown)
    assert len(frames) >= 2
    assert "every 0.05 s" in frames[-1]
    assert re.search(r"memory.*\d+ samples?(, \d+ missed)?\r?\n", frames[-1], re.DOTALL)


@posix
def test_a_stress_shows_its_load_until_it_is_interrupted(in_terminal):
    shown = in_terminal("stress", "--mem", "20MiB", "--interval", "0.05", interrupt_at=["20MiB"])
    assert "mem=20MiB " in "".join(shown.splitlines()[-4:])  # the summary


@posix
def test_watch_shows_what_another_process_records(tmp_path, in_terminal):
    words = ("stress", "--mem", "20MiB", "--interval", "0.05", "--report-dir", "seen")
    with subprocess.Popen([*COMMAND, *words], cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as run:
        shown = in_terminal("watch", "seen", interrupt_at=["20MiB", "CPU"])
        run.send_signal(signal.SIGINT)
        run.communicate(timeout=60)
    assert "seen" in shown
    assert "CPU" in shown


@pytest.mark.slow
def test_watch_ends_when_the_run_is_over(tmp_path):
    subprocess.run([*COMMAND, "record", *QUICK], cwd=tmp_path, capture_output=True, check=True)
    done = subprocess.run([*COMMAND, "watch"], cwd=tmp_path, capture_output=True, text=True, check=True, timeout=60)
    assert "twin-report" in done.stderr.splitlines()[0]


@posix
def test_watch_ends_when_its_terminal_is_closed(tmp_path):
    import pty

    terminal, theirs = pty.openpty()
    watching = subprocess.Popen(
        [*COMMAND, "watch"], cwd=tmp_path, stdin=theirs, stdout=theirs, stderr=theirs, env=terminal_environment()
    )
    os.close(theirs)
    shown = b""
    while b"waiting" not in shown:
        shown += (chunk := read(terminal))
        assert chunk, shown
    os.close(terminal)
    assert watching.wait(timeout=60) == 0
