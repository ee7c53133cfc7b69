"""The processes of the tests that a constraint is for, and what its parts share."""

from __future__ import annotations

import os
import sys
from collections.abc import Container, Mapping
from typing import Any, NamedTuple, Protocol

from pytest_twin.stressors.constraint import control_group, guardian

assert sys.platform == "linux"  # noqa: S101 - for the type checker: this module is for Linux only

Figures = dict[str, float | str]


class Part(Protocol):
    """One part of a constraint that is in force.

    Attributes:
        backend: The name of what enforces it; empty if it only measures.
    """

    backend: str

    def restart(self) -> None:
        """Count figures from now on."""

    def step(self, now: float) -> float:
        """Do what is due at a `time.monotonic`; return when the next is."""
        ...

    def lift(self) -> None:
        """Take the part out of force for a while."""

    def resume(self) -> None:
        """Put it in force again."""

    def figures(self) -> Figures:
        """Return its figures since the restart."""
        ...


class Groups:
    """The control groups of one constraint, one in each hierarchy that is needed."""

    def __init__(self, pid: int, journal: guardian.Journal) -> None:
        self._pid, self._journal = pid, journal
        self._groups: list[control_group.ControlGroup] = []

    def find(self, controller: str, *former: str) -> control_group.ControlGroup:
        """Return the group that has the limits of a controller; it is made if there is none.

        Args:
            controller: Its name.
            former: Its name in version 1 of control groups, if that is another one.

        Raises:
            OSError: It cannot be made; the text says why.
        """
        hierarchy = control_group.find_hierarchy(controller, *former)
        self._groups = [group for group in self._groups if os.path.isdir(group.folder)]  # others were rolled back
        group = next((group for group in self._groups if group.hierarchy == hierarchy), None)
        if group is None:
            group = control_group.ControlGroup(self._pid, hierarchy, self._journal)
            self._groups.append(group)
        group.enable(controller)
        return group

    def update(self, outside: Container[int]) -> None:
        """Have the present processes of the tests in each group, and no others.

        Raises:
            OSError: The kernel does not permit it.
        """
        for group in self._groups:
            group.update(outside)


class Target(NamedTuple):
    """The processes of the tests.

    Attributes:
        pid: The process that is constrained, with all of its descendants.
        outside: The processes that are not, with their descendants.
        options: The options of the request.
        journal: Every change is recorded there before it is made.
        groups: The control groups.
    """

    pid: int
    outside: set[int]
    options: Mapping[str, Any]
    journal: guardian.Journal
    groups: Groups
