"""Watching other processes, and a pipe from one."""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys

import pytest

from pytest_twin.stressors.system.parent import is_alive, open_pidfd, process_state, socket_from_pipe

linux = pytest.mark.skipif(sys.platform != "linux", reason="pidfd_open(2), /proc")
posix = pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX")


@pytest.fixture
def process():
    with subprocess.Popen([sys.executable, "-S", "-c", "input()"], stdin=subprocess.PIPE) as process:
        yield process
        process.kill()


@linux
def test_the_end_of_a_process_makes_its_pidfd_readable(process):
    fd = open_pidfd(process.pid)
    assert select.select([fd], (), (), 0) == ([], [], [])
    process.kill()
    assert select.select([fd], (), (), 60)[0] == [fd]
    os.close(fd)


@posix
def test_a_process_that_has_ended_is_not_alive_and_has_no_pidfd(process):
    assert is_alive(process.pid)
    process.kill()
    process.wait()
    assert not is_alive(process.pid)
    assert open_pidfd(process.pid) is None


@linux
def test_the_state_of_a_process_tells_whether_it_is_stopped(process, eventually):
    process.send_signal(signal.SIGSTOP)
    eventually(lambda: process_state(process.pid) == "T")
    process.send_signal(signal.SIGCONT)
    eventually(lambda: process_state(process.pid) in {"R", "S", "D"})
    process.kill()
    process.wait()
    assert process_state(process.pid) == ""


def test_a_socket_receives_what_comes_through_a_pipe_and_its_end():
    read_end, write_end = os.pipe()
    with socket_from_pipe(read_end) as receiver:
        os.write(write_end, b"line\n")
        assert receiver.recv(100) == b"line\n"
        os.close(write_end)
        assert receiver.recv(100) == b""
    os.close(read_end)
