"""Starts stressors, and sees to it that nothing is left of them."""

from __future__ import annotations

import subprocess
from contextlib import suppress

import psutil
import pytest
from driving import BARE, LIMIT_S, SCRIPTS, SOURCES, Program, Supervisor


@pytest.fixture(autouse=True)
def _no_process_is_left(eventually):
    yield
    eventually(lambda: not psutil.Process().children(recursive=True))


@pytest.fixture
def run(tmp_path):
    """Runs a stressor by hand; its exit status, what it printed, what it complained of."""

    def run(*command: object) -> tuple[int, str, str]:
        file, *flags = command
        done = subprocess.run(
            [*BARE, SCRIPTS / file, *map(str, flags)],
            cwd=tmp_path, capture_output=True, text=True, timeout=LIMIT_S, check=False,
        )  # fmt: skip
        return done.returncode, done.stdout, done.stderr

    return run


@pytest.fixture
def started():
    """Processes that were started with pipes, all ended when the test is."""
    running: list[subprocess.Popen[str]] = []

    def start(*command: object, **options) -> subprocess.Popen[str]:
        pipe = subprocess.PIPE
        options = {"stdin": pipe, "stdout": pipe, "stderr": pipe, "text": True, **options}
        running.append(subprocess.Popen(list(map(str, command)), **options))
        return running[-1]

    yield start
    for process in running:
        with suppress(BrokenPipeError), process:
            process.kill()


@pytest.fixture
def start(started, tmp_path):
    """Starts a stressor by hand, and comes back when its load is ready."""
    return lambda file, *flags: Program(started(*BARE, SCRIPTS / file, *flags, cwd=tmp_path))


@pytest.fixture
def supervisor(started) -> Supervisor:
    return Supervisor(started(*BARE, SOURCES / "__main__.py"))


@pytest.fixture
def own_stressor(tmp_path, monkeypatch):
    """A stressor written for the test; the folder that it can be imported from is on the path."""
    monkeypatch.syspath_prepend(tmp_path)

    def write(name: str, *lines: str) -> dict:
        body = "".join(f"    {line}\n" for line in lines)
        (tmp_path / f"{name}.py").write_text(
            f"import os, signal, time\n\ndef workers(job):\n    return 1\n\ndef stress(job):\n{body}", encoding="utf-8"
        )
        return {"module": name, "unit": "max", "profile": [[0, 1]]}

    return write
