"""A stressor of stress-ng as the worker of a load runs it."""

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

assert sys.platform == "linux"  # noqa: S101 - for the type checker: nothing here is to be had elsewhere

READY_WITHIN_S = 15.0
LOOK_EVERY_S = 0.1
_LINE = re.compile(r"stress-ng: (\w+): +\[\d+\] (.*)")


def run(job: Job) -> None:
    """Run it until stopped.

    Raises:
        OSError: It cannot be started, or ended by itself; the message has its last words.
    """
    stressor, instances = str(job.options["stressor"]), round(job.profile.peak)
    directory = str(job.options.get("directory") or ".")
    if not os.path.isdir(directory):
        raise OSError(f"{directory} is no directory")
    scratch = tempfile.mkdtemp(prefix=f".{NAME}-", dir=directory)
    command = [program(), f"--{stressor}", str(instances), "--timeout", "0", "--oomable", "--metrics-brief"]
    kept = subreaper.ContainedProgram([*command, "--temp-path", os.path.abspath(scratch)], scratch)
    try:
        _hold_when_paused(kept)
        _wait_ready(kept, stressor, instances)
        job.ready()
        while not kept.ended():
            job.children_cpu_s = kept.cpu_s()
            job.tick()
            time.sleep(LOOK_EVERY_S)
        raise OSError(_last_words(kept, stressor))
    finally:
        kept.end()
        job.children_cpu_s = kept.cpu_s()
        job.achieved.update(_bogo_ops(kept.words(), stressor))


def _wait_ready(kept: subreaper.ContainedProgram, stressor: str, instances: int) -> None:
    """Wait until as many of its processes as were asked for have begun."""
    deadline = time.monotonic() + READY_WITHIN_S
    while _begun(kept) < instances:
        if kept.ended():
            raise OSError(_last_words(kept, stressor))
        if time.monotonic() > deadline:
            raise OSError(f"{NAME} has not begun {instances} of {stressor} within {READY_WITHIN_S:.0f} s")
        time.sleep(0.005)


def _begun(kept: subreaper.ContainedProgram) -> int:
    """Children that have taken the name of their stressor, which they do when they begin."""
    main = kept.program
    return sum(map(_is_stressor, subreaper.children(main))) if main else 0


def _is_stressor(pid: int) -> bool:
    try:
        with open(f"/proc/{pid}/comm", encoding="utf-8", errors="replace") as file:
            return file.read().startswith(f"{NAME}-")
    except OSError:  # it has just ended
        return False


def _hold_when_paused(kept: subreaper.ContainedProgram) -> None:
    """Have a pause of this process stop the program too."""
    heard = signal.getsignal(PAUSE)

    def pause(number: int, frame: object) -> None:
        kept.signal(signal.SIGSTOP)
        try:
            if callable(heard):
                heard(number, frame)  # type: ignore[arg-type]
        finally:
            kept.signal(signal.SIGCONT)

    signal.signal(PAUSE, pause)


def _last_words(kept: subreaper.ContainedProgram, stressor: str) -> str:
    """Why it ended, as far as it told."""
    lines = [match for line in kept.words() if (match := _LINE.match(line))]
    skipped = [match[2] for match in lines if "skip" in match[2]]
    errors = [match[2] for match in lines if match[1] in {"error", "fail", "warn"}]
    others = [line for line in kept.words() if line and not _LINE.match(line)]
    words = (skipped or errors or others or [""])[-1]
    return f"{NAME} --{stressor} ended by itself ({words.strip() or kept.ended()})"


def _bogo_ops(lines: list[str], stressor: str) -> dict[str, float | str]:
    """How often it did what it does, where it told."""
    for line in lines:
        match = re.search(rf"metrc: +\[\d+\] {re.escape(stressor)} +(\d+) ", line)
        if match:
            return {"bogo_ops": int(match[1])}
    return {}
