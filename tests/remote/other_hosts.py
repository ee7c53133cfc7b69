"""Other hosts for inner pytest runs: servers of execnet's on this machine, and a line to one that can be cut."""

from __future__ import annotations

import os
import re
import shutil
import socket
import subprocess
import sys
import threading
from pathlib import Path

import psutil

HANDING_OVER = """
import pathlib, time
from datetime import UTC, datetime

def wait_until_handed_over(host, rows=5):
    dataset = pathlib.Path({report!r}) / "hosts" / host / "system_metrics_dataset.csv"
    now, until = datetime.now(UTC).isoformat(), time.monotonic() + 60

    def later():  # each row begins with its time
        lines = dataset.read_text().splitlines() if dataset.exists() else []
        return sum(line > now for line in lines[1:])

    while later() < rows and time.monotonic() < until: time.sleep(0.05)
"""
"""A module for inner runs: a test waits until the controller has so many samples that its host took from then on."""

LATE = """
import os, pathlib, time

if os.environ.pop("LATE", ""):
    while not pathlib.Path({there!r}).exists(): time.sleep(0.05)

def pytest_collection(session):
    if hasattr(session.config, "workerinput"):
        pathlib.Path({there!r}).touch()  # by now the controller has been told
"""
"""A conftest.py with which a worker that has LATE in its environment is there later than another, which is first."""


class Machine:
    """What takes the place of another machine: folders of its own, and an execnet server that runs one worker at once.

    Attributes:
        home: Where its tests are, and where its workers run.
        temporary: Its folder for temporary files.
        port: That of its server.
        process: Its server, in which the worker runs.
    """

    def __init__(self, place: Path, tests: Path) -> None:
        self.home, self.temporary = place / "home", place / "tmp"
        shutil.copytree(tests, self.home, ignore=lambda _, names: [name for name in names if not name.endswith(".py")])
        self.temporary.mkdir()
        self.process = subprocess.Popen(
            [sys.executable, "-u", "-m", "execnet.script.socketserver", "127.0.0.1:0"],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            cwd=self.home,
            env=os.environ | {"TMPDIR": str(self.temporary)},
        )
        found = re.search(rb"', (\d+)\)", self.process.stdout.readline())
        self.port = int(found[1])
        self._drain = threading.Thread(target=self.process.stdout.read, daemon=True)
        self._drain.start()

    def spec(self, port: int = 0) -> str:
        """How pytest-xdist is told of it."""
        return f"--tx=socket=127.0.0.1:{port or self.port}//chdir={self.home}"

    @property
    def processes(self) -> list[psutil.Process]:
        """Processes of ours on it, whoever's children they are by now."""
        found = []
        for process in psutil.process_iter():
            try:
                is_ours = process.pid != self.process.pid and str(self.temporary) in process.environ().get("TMPDIR", "")
                if is_ours and process.status() != psutil.STATUS_ZOMBIE:
                    found.append(process)
            except psutil.Error:  # it ended meanwhile
                continue
        return found

    def is_clean(self) -> bool:
        """Whether nothing of ours is left on it."""
        return not self.processes and not list(self.temporary.glob("pytest-twin-*"))

    def stop(self) -> None:
        """Take it down."""
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        self._drain.join()
        self.process.stdout.close()


class Line:
    """A line to a port of this machine that nothing goes through any more as soon as a file is there."""

    def __init__(self, port: int, cut: Path) -> None:
        self._to, self._cut = port, cut
        self._server = socket.create_server(("127.0.0.1", 0))
        self._ends: list[socket.socket] = []
        self.port: int = self._server.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def stop(self) -> None:
        """Let go of all."""
        for end in (self._server, *self._ends):
            end.close()

    def _accept(self) -> None:
        while True:
            try:
                near, _ = self._server.accept()
                far = socket.create_connection(("127.0.0.1", self._to))
            except OSError:
                return
            self._ends += [near, far]
            for ends in ((near, far), (far, near)):
                threading.Thread(target=self._carry, args=ends, daemon=True).start()

    def _carry(self, one: socket.socket, other: socket.socket) -> None:
        try:
            while data := one.recv(1 << 16):
                if not self._cut.exists():
                    other.sendall(data)
            if not self._cut.exists():  # nobody is told of an end beyond a cut
                other.shutdown(socket.SHUT_WR)
        except OSError:
            pass
