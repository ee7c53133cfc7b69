"""CPU time limited without any rights: the processes of the tests are stopped when the quota of a period is used up.

Stops are not quite invisible (signal(7)). A parent gets SIGCHLD when a child is stopped or continued, unless it has set
SA_NOCLDSTOP, and ``waitpid(..., WUNTRACED)`` returns then. A few system calls return EINTR, which Python retries. A
SIGSTOP or SIGTSTP of someone else that arrives during a stall ends with the stall. A process that has left the tree
before it was found, as a daemon does, is not stopped. Where a shell would take a stop for a Ctrl-Z, no process is
stopped at all (`check_job_control`).
"""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Mapping
from typing import Any

from pytest_twin.stressors.constraint import cpu_account, process_tree, samples, target
from pytest_twin.stressors.system.capacity import text
from pytest_twin.stressors.system.stalls import Stalls

assert sys.platform == "linux"  # noqa: S101 - for the type checker: this module is for Linux only

NS = 1_000_000_000
POLL_S = 0.002  # of new processes, while the tests are throttled or start processes
IDLE_POLL_S, LONGEST_POLL_S = 0.02, 0.05  # otherwise; the longer one where the quota lasts as long on all CPUs
BUSY_FOR_S = 1.0  # after a stall or a new process
STALL_POLL_S = 0.01
WALK_SHARE, IDLE_WALK_SHARE = 0.03, 0.004  # of the time, at most, in which new processes are looked for
LEAST_REMAINING = 0.02  # of the quota: less is not waited for
SHELLS = {"sh", "bash", "dash", "zsh", "ksh", "mksh", "fish", "tcsh", "csh", "ash", "busybox"}
STOPPED_WITH_CHILD = {"sudo", "su", "runuser", "doas"}  # they stop themselves when their child is stopped


class StopSignals:
    """CPU time, limited by stopping all processes of the tests for the rest of a period.

    What was used beyond the quota is owed: it is subtracted from the following periods.
    """

    backend = "stop signals"

    def __init__(self, tests: target.Target) -> None:
        """Find the processes; nothing is stopped yet.

        Raises:
            OSError: The kernel does not show what is needed.
            ValueError: A shell would notice, or the processes belong to another user.
        """
        pid, options = tests.pid, tests.options
        _check_parent(pid, options)
        check_rights(pid)
        self._period_s: float = options.get("period") or samples.DEFAULT_PERIOD_S
        self._quota_ns = round(options["cpu"] * self._period_s * NS)
        self._cpus = min(len(os.sched_getaffinity(pid)), options.get("cpus") or os.cpu_count() or 1)
        self._least_ns = min(round(LEAST_REMAINING * self._quota_ns), 300_000)
        self._table = tests.journal.stopped
        self._account = cpu_account.CpuAccount(pid, tests.outside)
        self._stat = os.memfd_create("cpu.stat")
        self._stopped: list[cpu_account.TrackedProcess] = []
        self._stopped_at: float | None = None
        self._throttled_s = 0.0
        self._stalls = 0
        self._busy_until = 0.0
        self._samples = samples.PeriodSamples(self._period_s)
        self.restart()

    def restart(self) -> None:
        """Begin the first period, and count figures from now on."""
        self._began_stalls, self._began_throttled_s = self._stalls, self._throttled_s  # in the file they only grow
        self._samples = samples.PeriodSamples(self._period_s)
        self._sample_at = 0.0
        self._begin()
        self._began_ns = self._account.total_ns

    def resume(self) -> None:
        """Begin a first period again, after a pause."""
        self._samples.skip()
        self._begin()

    def _begin(self) -> None:
        self._account.walk()
        self._limit_ns = self._account.read() + self._quota_ns
        self._last_read = time.monotonic(), self._account.total_ns
        self._period_end = self._last_read[0] + self._period_s
        self._write_stat()

    def step(self, now: float) -> float:
        """Stop the processes if they have used up their quota, or continue them in a new period."""
        share = WALK_SHARE if now < self._busy_until else IDLE_WALK_SHARE
        if self._account.has_started() and self._account.walk_if_due(now, share):
            self._busy_until = now + BUSY_FOR_S
        total = self._account.read()
        if now >= self._period_end:
            self._begin_period(now, total)
        remaining = self._limit_ns - total
        if remaining <= self._least_ns:
            if self._stopped_at is None:
                self._stop(now)
                return now + POLL_S / 2
            self._stop_others()
            return min(now + STALL_POLL_S, self._period_end)
        if self._stopped_at is not None:
            self._continue(now)
        return min(now + self._next_reading(now, total, remaining), self._period_end)

    def lift(self) -> None:
        """Continue all processes."""
        if self._stopped_at is not None:
            self._continue(time.monotonic())

    def figures(self) -> target.Figures:
        """Return the CPU seconds and how long the processes were stopped."""
        stalled_s = 0.0 if self._stopped_at is None else time.monotonic() - self._stopped_at
        return {
            "tests_cpu_s": (self._account.read() - self._began_ns) / NS,
            "throttled_s": self._throttled_s + stalled_s - self._began_throttled_s,
            "stalls": self._stalls - self._began_stalls,
            "period_s": self._period_s,
            "stat": f"/proc/{os.getpid()}/fd/{self._stat}",
            "stat_began_s": self._began_throttled_s,
            **self._samples.figures(),
        }

    def _begin_period(self, now: float, total: int) -> None:
        """Give the quota of a new period, minus what is owed."""
        periods = 1 + int((now - self._period_end) / self._period_s)
        self._period_end += periods * self._period_s
        self._limit_ns = min(self._limit_ns + periods * self._quota_ns, total + self._quota_ns + self._least_ns)
        if now >= self._sample_at:
            self._sample_at = self._samples.add(now, total / NS) - self._period_s / 2
        if self._stopped_at is not None and self._limit_ns - total <= self._least_ns:
            self._stalls += 1  # the kernel counts one for each period, too

    def _next_reading(self, now: float, total: int, remaining: int) -> float:
        """Return the seconds until the quota can be used up, or new processes are to be looked for."""
        then, before = self._last_read
        self._last_read = now, total
        span_s = now - then
        rate = (total - before) / NS / span_s * 1.02 if span_s > POLL_S / 4 else self._cpus
        remaining_s = remaining / NS
        poll_s = POLL_S
        if now >= self._busy_until:
            poll_s = max(IDLE_POLL_S, min(LONGEST_POLL_S, remaining_s / self._cpus))
        return min(poll_s, remaining_s / min(max(rate, 0.5), self._cpus))

    def _stop(self, now: float) -> None:
        """Stop all processes, each before its children, and look for others until there are none."""
        self._stopped_at = now
        self._stalls += 1
        self._busy_until = now + BUSY_FOR_S
        self._write_stat()
        self._send_stops(list(self._account.processes.values()))
        while self._account.has_started() and (new := self._account.walk()):
            self._send_stops(new)

    def _stop_others(self) -> None:
        """Stop processes that have appeared, or that were continued by somebody else."""
        known = {process.pid for process in self._stopped}
        self._send_stops([each for each in self._account.processes.values() if each.pid not in known])
        for process in self._stopped:
            if process.is_alive and process.own_ns > process.before_ns:
                _send(process.pid, signal.SIGSTOP)

    def _send_stops(self, processes: list[cpu_account.TrackedProcess]) -> None:
        for process in processes:
            if process.own_ns == process.before_ns:  # it has not run, so somebody else may have stopped it
                stat = process_tree.read_stat(process.pid)
                process.is_mine = stat is not None and stat.state not in "Tt"
        mine = [process for process in processes if process.is_mine]
        self._table.add((process.pid, process.start) for process in mine)
        for process in mine:
            process.is_mine = _send(process.pid, signal.SIGSTOP)
        self._stopped += mine

    def _continue(self, now: float) -> None:
        """Continue what was stopped."""
        self._throttled_s += now - (self._stopped_at or now)
        self._write_stat()
        for process in self._stopped:
            if process.is_alive:
                _send(process.pid, signal.SIGCONT)
        self._table.clear()
        self._stopped.clear()
        self._stopped_at = None
        self._last_read = now, self._account.total_ns
        self._write_stat()

    def _write_stat(self) -> None:
        """Write the counters as in cpu.stat, and whether the processes are stopped."""
        stalls = Stalls(self._throttled_s, self._stalls, self._stopped_at is not None)
        os.pwrite(self._stat, stalls.to_text().encode(), 0)


def check_rights(pid: int) -> None:
    """Check that a process may be stopped.

    Raises:
        OSError: It may not, or there is no such process.
    """
    try:
        os.kill(pid, 0)
    except OSError as error:
        raise OSError(f"process {pid} cannot be stopped: {error.strerror}") from error


def _check_parent(pid: int, options: Mapping[str, Any]) -> None:
    """Check the job control of the parent, and tell the user of the tests what to do.

    Raises:
        OSError: There is no such process.
        ValueError: The parent would notice.
    """
    try:
        check_job_control(pid, unaffected=options.get("parent", 0))
    except ValueError as error:
        command = f"`pytest-twin constrain --cpu {options['cpu']:g} -- COMMAND`"
        if reason := options.get("no_child"):
            remedy = f"pytest cannot go on in a child, since {reason}; use --twin-constrain cpu={options['cpu']:g}"
            raise ValueError(f"{error}, and {remedy}, or {command}") from None
        raise ValueError(f"{error}; use {command}, or workers of pytest-xdist (-n 1)") from None


def check_job_control(pid: int, unaffected: int = 0) -> None:
    """Check that the parent of a process does not take a stop for a Ctrl-Z.

    A shell with job control puts each job into a process group of its own, and waits for stops of it.

    Args:
        pid: The process.
        unaffected: A process that does not, although its children have process groups of their own; 0 for none.

    Raises:
        OSError: There is no such process.
        ValueError: The parent would notice.
    """
    stat = process_tree.read_stat(pid)
    if stat is None:
        raise OSError(f"there is no process {pid}")
    if stat.parent == unaffected:
        return
    parent = process_tree.read_stat(stat.parent) if stat.parent else None
    if parent is None:  # of another PID namespace
        return
    name = text(f"/proc/{stat.parent}", "comm").strip()
    is_job = parent.session == stat.session and parent.group != stat.group
    if name in STOPPED_WITH_CHILD or (is_job and (stat.terminal or name.lstrip("-") in SHELLS)):
        raise ValueError(f"{name or 'the parent'} (process {stat.parent}) would take a stop of the tests for a Ctrl-Z")


def _send(pid: int, number: int) -> bool:
    """Send a signal; return False if that is not permitted."""
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        pass
    except PermissionError:  # it runs as another user
        return False
    return True
