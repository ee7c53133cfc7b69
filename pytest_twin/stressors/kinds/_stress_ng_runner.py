"""Runs a stressor of stress-ng in a worker."""

from __future__ import annotations

import os
import re
import signal
import sys
import tempfile
import time

from pytest_twin.stressors.kinds._stress_ng_program import NAME, program
from pytest_twin.stressors.worker import subreaper
from pytest_twin.stressors.worker.job import Job
from pytest_twin.stressors.worker.process import PAUSE

assert sys.platform == "linux"  # noqa: S101 - for the type checker: this module is for Linux only

START_TIMEOUT_S = 15.0
POLL_EVERY_S = 0.1
_LINE = re.compile(r"stress-ng: (\w+): +\[\d+\] (.*)")


def run(job: Job) -> None:
    """Run it until stopped.

    Raises:
        OSError: It cannot be started, or has ended by itself; the message has its last output.
    """
    stressor, instances = str(job.options["stressor"]), round(job.profile.peak)
    directory = str(job.options.get("directory") or ".")
    if not os.path.isdir(directory):
        raise OSError(f"{directory} is not a directory")
    scratch = tempfile.mkdtemp(prefix=f".{NAME}-", dir=directory)
    command = [program(), f"--{stressor}", str(instances), "--timeout", "0", "--oomable", "--metrics-brief"]
    running = subreaper.ContainedProgram([*command, "--temp-path", os.path.abspath(scratch)], scratch)
    try:
        _pause_together(running)
        _wait_ready(running, stressor, instances)
        job.ready()
        while not running.exit_reason():
            job.children_cpu_s = running.cpu_s()
            job.tick()
            time.sleep(POLL_EVERY_S)
        raise OSError(_exit_message(running, stressor))
    finally:
        running.end()
        job.children_cpu_s = running.cpu_s()
        job.achieved.update(_bogo_ops(running.output_lines(), stressor))


def _wait_ready(running: subreaper.ContainedProgram, stressor: str, instances: int) -> None:
    """Wait until as many instances as requested have started."""
    deadline = time.monotonic() + START_TIMEOUT_S
    while _started(running) < instances:
        if running.exit_reason():
            raise OSError(_exit_message(running, stressor))
        if time.monotonic() > deadline:
            raise OSError(f"{NAME} did not start {instances} instances of {stressor} within {START_TIMEOUT_S:.0f} s")
        time.sleep(0.005)


def _started(running: subreaper.ContainedProgram) -> int:
    """Return the number of children with the name of a stressor, which they take when they start."""
    main = running.program
    return sum(map(_is_stressor, subreaper.children(main))) if main else 0


def _is_stressor(pid: int) -> bool:
    try:
        with open(f"/proc/{pid}/comm", encoding="utf-8", errors="replace") as file:
            return file.read().startswith(f"{NAME}-")
    except OSError:  # it has just ended
        return False


def _pause_together(running: subreaper.ContainedProgram) -> None:
    """Stop the program too while this process is paused."""
    handler = signal.getsignal(PAUSE)

    def pause(number: int, frame: object) -> None:
        running.signal(signal.SIGSTOP)
        try:
            if callable(handler):
                handler(number, frame)  # type: ignore[arg-type]
        finally:
            running.signal(signal.SIGCONT)

    signal.signal(PAUSE, pause)


def _exit_message(running: subreaper.ContainedProgram, stressor: str) -> str:
    """Return an error message with the signal that killed it, else with the last relevant line of its output."""
    how = running.exit_reason()
    lines = [match for line in running.output_lines() if (match := _LINE.match(line))]
    skipped = [match[2] for match in lines if "skip" in match[2]]
    errors = [match[2] for match in lines if match[1] in {"error", "fail", "warn"}]
    others = [line for line in running.output_lines() if line and not _LINE.match(line)]
    words = how if how.startswith("killed") else (skipped or errors or others or [""])[-1]
    return f"{NAME} --{stressor} ended by itself ({words.strip() or how})"


def _bogo_ops(lines: list[str], stressor: str) -> dict[str, float | str]:
    """Return the figure of its operations, if its output has it."""
    for line in lines:
        match = re.search(rf"metrc: +\[\d+\] {re.escape(stressor)} +(\d+) ", line)
        if match:
            return {"bogo_ops": int(match[1])}
    return {}
