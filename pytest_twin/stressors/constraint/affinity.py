"""A number of CPUs to run on: the CPU affinity of every thread of the tests' processes (Linux only).

It works without rights. New threads and processes inherit it (sched_setaffinity(2)).
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator

from pytest_twin.stressors.constraint import guardian, process_tree, target

assert sys.platform == "linux"  # noqa: S101 - for the type checker: this module is for Linux only

MOST_PASSES = 100  # over all threads, until none is left that was started meanwhile


class Affinity:
    """The CPUs of all threads, restored at the end to those that each had."""

    backend = "CPU affinity"

    def __init__(self, tests: target.Target) -> None:
        """Put it in force.

        Raises:
            OSError: The processes belong to another user.
        """
        self._tests = tests
        self.resume()

    def resume(self) -> None:
        """Set it for all threads, until none is left without it."""
        self._allowed = sorted(os.sched_getaffinity(self._tests.pid))
        count = min(self._tests.options["cpus"], len(self._allowed))
        first = self._tests.pid % len(self._allowed)  # so that workers of pytest-xdist use different ones
        self._cpus = (self._allowed * 2)[first : first + count]
        seen: dict[int, tuple[int, list[int]]] = {}  # start and CPUs of each thread, also of those that may keep theirs
        for _ in range(MOST_PASSES):
            threads = _affinities(self._tests.pid, self._tests.outside)
            new = {
                thread: (process_tree.start_of(thread), sorted(has))
                for thread, has in threads
                if thread not in seen or not has <= set(self._cpus)
            }
            if not new:
                return
            seen = new | seen
            self._tests.journal.add(
                "affinity", pid=self._tests.pid, outside=sorted(self._tests.outside), cpus=sorted(self._cpus),
                allowed=self._allowed, threads=[(thread, *before) for thread, before in seen.items()],
            )  # fmt: skip
            for thread, (_, before) in new.items():
                _set(thread, _narrowed(before, self._cpus))

    def lift(self) -> None:
        """Restore the CPUs of all threads."""
        self._tests.journal.undo_kind("affinity")

    def restart(self) -> None:
        """Do nothing: it has no figures."""

    def step(self, now: float) -> float:  # noqa: ARG002
        """Do nothing: the kernel enforces it."""
        return float("inf")

    def figures(self) -> target.Figures:
        """Return no figures."""
        return {}


def undo_affinity(record: guardian.Record) -> None:
    """Restore the CPUs of threads that still have those of the constraint, and of those that have inherited them."""
    cpus = record["cpus"]
    for thread, start, before in record["threads"]:
        if process_tree.start_of(thread) == start and _get(thread) == set(_narrowed(before, cpus)):
            _set(thread, before)
    restored = {thread for thread, _, _ in record["threads"]}
    for thread, has in _affinities(record["pid"], set(record["outside"])):
        if thread not in restored and has == set(cpus):
            _set(thread, record["allowed"])


def _narrowed(cpus: list[int], most: list[int]) -> list[int]:
    """Return those of a thread's CPUs that it may keep, or all of the constraint if it may keep none."""
    return sorted(set(cpus) & set(most)) or sorted(most)


def _affinities(pid: int, outside: set[int]) -> Iterator[tuple[int, set[int]]]:
    """Yield all threads of the processes, and the CPUs of each."""
    for process in process_tree.tree(pid, outside):
        try:
            threads = [int(name) for name in os.listdir(f"/proc/{process}/task")]
        except OSError:  # it has just ended
            continue
        for thread in threads:
            if cpus := _get(thread):
                yield thread, cpus


def _get(thread: int) -> set[int]:
    try:
        return os.sched_getaffinity(thread)
    except OSError:  # it has just ended
        return set()


def _set(thread: int, cpus: list[int]) -> None:
    try:
        os.sched_setaffinity(thread, cpus)
    except ProcessLookupError:
        pass
