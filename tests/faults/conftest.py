"""Starts runs of pytest, and sees to it that nothing is left of them."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import psutil
import pytest
from inner_runs import _wide_terminal
from runs import Run, working_in

__all__ = ["_wide_terminal"]

Start = Callable[..., Run]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Starts a run of these tests; whatever is left of it is ended."""
    started: list[Run] = []

    def start(body: str = "", *flags: str, **options) -> Run:
        if body:
            (tmp_path / "test_it.py").write_text(body, encoding="utf-8")
        started.append(Run(tmp_path, *flags, **options))
        return started[-1]

    yield start
    left = working_in(tmp_path)
    for process in left:
        with suppress(psutil.NoSuchProcess):
            process.kill()
    psutil.wait_procs(left, timeout=60)
    for run in started:
        with run.process:  # which closes what is left of its pipes, and waits
            run.process.kill()  # it may have gone to another directory


@pytest.fixture
def run(start: Start) -> Callable[..., tuple[Run, int, str]]:
    """Runs tests to their end; the run, its exit status, and all that it said."""

    def run(body: str = "", *flags: str, **options) -> tuple[Run, int, str]:
        started = start(body, *flags, **{"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, **options})
        status, said, _ = started.wait()
        return started, status, said

    return run


@pytest.fixture
def alone() -> list[str]:
    """What is to be put before a shell's words, to have them mount what nobody else sees."""
    command = ["unshare", "--user", "--map-root-user", "--mount", "sh", "-c"]
    try:
        subprocess.run([*command, "mount -t tmpfs none /mnt"], check=True, capture_output=True, timeout=60)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("no user namespaces here")
    return command


@pytest.fixture
def disk(tmp_path: Path, alone: list[str]) -> Callable[[str], list[str]]:
    """What is to be put before a command, to have a file system in memory in the folder `report`, for it alone."""

    def disk(size: str) -> list[str]:
        folder = tmp_path / "report"
        folder.mkdir()
        return [*alone, f'mount -t tmpfs -o size={size},mode=0700 small {folder} && exec "$@"', "sh"]

    return disk
