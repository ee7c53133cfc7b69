"""A control group of our own below the group of the tests, in either version of control groups (Linux only).

The processes of the tests move into it, and back to their own groups at the end; what they start meanwhile is in it
from its first moment. In version 1 each controller may have a hierarchy by itself. In version 2 a group with limits for
its children may have no processes of its own, so the other processes of the parent wait in a second group beside ours.

The kernel shares CPU time among groups first: beside a load on all CPUs, the tests in a group of their own get as much
as one group does, however many processes they are.

Sources: Documentation/admin-guide/cgroup-v1/cgroups.rst and cgroup-v2.rst of the kernel; cgroups(7).
"""

from __future__ import annotations

import errno
import fcntl
import os
import sys
import time
from collections.abc import Container, Iterator
from contextlib import contextmanager, suppress
from typing import NamedTuple

from pytest_twin.stressors.constraint import guardian, process_tree
from pytest_twin.stressors.system.capacity import text

assert sys.platform == "linux"  # noqa: S101 - for the type checker: this module is for Linux only

PREFIX = "pytest-twin-"  # of the names of our groups
REST = PREFIX + "rest"  # holds the other processes of the parent, in version 2
UNDO_TIMEOUT_S = 10.0
RETRY_S = 0.002
LOCK_TIMEOUT_S = 5.0
PROCESSES = "cgroup.procs"
ENABLED = "cgroup.subtree_control"
BACKEND = "control group"
NO_LIMIT = {  # by controller and file; the limit with swap may not be below the other one at any time
    "cpu": {"cpu.cfs_quota_us": "-1", "cpu.max": "max"},
    "memory": {
        "memory.memsw.limit_in_bytes": "-1", "memory.limit_in_bytes": "-1",
        "memory.max": "max", "memory.swap.max": "max",
    },
    "io": {
        "blkio.throttle.read_bps_device": "{device} 0", "blkio.throttle.write_bps_device": "{device} 0",
        "io.max": "{device} rbps=max wbps=max",
    },
}  # fmt: skip


class Hierarchy(NamedTuple):
    """A mounted hierarchy of control groups.

    Attributes:
        version: 1 or 2.
        controllers: Its controllers.
        mount: The folder that it is mounted on.
        root: The path of the group that is the root of the mount.
    """

    version: int
    controllers: frozenset[str]
    mount: str
    root: str

    def folder_of(self, pid: int | str) -> str:
        """Return the folder of the group of a process.

        Raises:
            OSError: There is no such process, or its group is not below the mount.
        """
        for line in text(f"/proc/{pid}", "cgroup").splitlines():
            number, names, path = line.split(":", 2)
            if (number == "0" and not names) if self.version == 2 else bool(names) and self._has(names):
                inside = path.removeprefix(self.root.rstrip("/"))
                folder = f"{self.mount}{inside}".rstrip("/")
                if (path + "/").startswith(self.root.rstrip("/") + "/") and os.path.isdir(folder):
                    return folder
                raise OSError(f"the control group {path} is not below {self.mount}")
        raise OSError(f"the control group of process {pid} is not known")

    def _has(self, names: str) -> bool:
        return frozenset(names.split(",")) <= self.controllers


def find_hierarchies() -> list[Hierarchy]:
    """Return the mounted hierarchies, version 2 first, whose controllers work for all groups."""
    found = []
    for line in text("/proc/self", "mountinfo").splitlines():
        before, _, after = line.partition(" - ")
        (_, _, _, root, mount, *_), (kind, _, options, *_) = before.split(), after.split()
        if kind == "cgroup":
            found.append(Hierarchy(1, frozenset(options.split(",")), mount, root))
        elif kind == "cgroup2":
            found.append(Hierarchy(2, frozenset(text(mount, "cgroup.controllers").split()), mount, root))
    return sorted(found, key=lambda each: -each.version)


def find_hierarchy(*names: str) -> Hierarchy:
    """Return the hierarchy that has a controller.

    Args:
        names: Its names in the versions of control groups.

    Raises:
        OSError: There is none.
    """
    for each in find_hierarchies():
        if not each.controllers.isdisjoint(names):
            return each
    raise OSError(f"no mounted hierarchy has the controller {' or '.join(names)}")


class ControlGroup:
    """One group of ours.

    Attributes:
        version: 1 or 2.
        hierarchy: The hierarchy that it is in.
        parent: The folder of the group below which it is.
        folder: Its folder.
    """

    def __init__(self, pid: int, hierarchy: Hierarchy, journal: guardian.Journal) -> None:
        """Make the group, without processes, below the group of a process.

        Raises:
            OSError: It cannot be made; the text says why.
        """
        self.version = hierarchy.version
        self.hierarchy = hierarchy
        self._journal, self._pid = journal, pid
        self.parent = hierarchy.folder_of(pid)
        try:
            with _locked(self.parent):  # between `mkdir` and `_hold` another run may not take it for an abandoned one
                self.parent = hierarchy.folder_of(pid)  # a group of ours around it may just have been removed
                if self.version == 2 and os.path.basename(self.parent) == REST:  # one of ours is beside it already
                    self.parent = os.path.dirname(self.parent)
                self.folder = f"{self.parent}/{PREFIX}{os.getpid()}-{os.urandom(4).hex()}"
                journal.add("group", version=self.version, folder=self.folder, parent=self.parent)
                _remove_abandoned(self.parent)
                os.mkdir(self.folder)
                _hold(self.folder)
        except OSError as error:
            raise OSError(f"no group can be made in {self.parent}: {error.strerror or error}") from error

    def enable(self, controller: str) -> None:
        """Have the limits of a controller in the group; in version 1 it has them.

        Raises:
            OSError: That is not possible; the text says why.
        """
        if self.version == 1 or controller in text(self.parent, ENABLED).split():
            return
        if controller not in text(self.parent, "cgroup.controllers").split():
            raise OSError(f"{self.parent} does not have the controller {controller}")
        with _locked(self.parent):
            if _has_limits(self.parent):
                rest = f"{self.parent}/{REST}"
                if not os.path.isdir(rest):
                    os.mkdir(rest)
                _move_all(self.parent, rest)
            else:
                self._journal.add("enabled", parent=self.parent, folder=self.folder, controller=controller)
            write(self.parent, ENABLED, f"+{controller}")

    def adopt(self, outside: Container[int]) -> int:
        """Move the processes of the tree into the group, until none is left outside it; return how many were moved.

        Raises:
            OSError: The kernel does not permit it.
        """
        moved = 0
        deadline = time.monotonic() + UNDO_TIMEOUT_S
        while True:
            missing = [(pid, home) for pid, home in self._homes(outside) if not is_below(home, self.folder)]
            if not missing or time.monotonic() > deadline:
                return moved
            for pid, home in missing:
                if home not in {self.parent, f"{self.parent}/{REST}"}:
                    self._journal.add("moved", pid=pid, start=process_tree.start_of(pid), home=home, folder=self.folder)
                moved += move(pid, self.folder)

    def release_helpers(self) -> None:
        """Move supervisors, stressors, samplers and exporters out of the group, which a run within it has started."""
        for pid in self.processes():
            if process_tree.is_helper(pid):
                move(pid, _home(self.version, self.parent))

    def update(self, outside: Container[int]) -> None:
        """Have the present processes of the tree in the group, and no others, such as a daemon that a test has started.

        Raises:
            OSError: The kernel does not permit it.
        """
        inside = self.processes()  # before the tree is read: what is forked meanwhile is not among them
        if inside == [self._pid]:
            return
        self.adopt(outside)
        self.release_helpers()
        tests = set(process_tree.tree(self._pid, outside))
        for pid in inside:
            if pid not in tests:
                move(pid, _home(self.version, self.parent))

    def processes(self) -> list[int]:
        """Return the processes in the group, without those in groups below it."""
        return [int(word) for word in text(self.folder, PROCESSES).split()]

    def _homes(self, outside: Container[int]) -> Iterator[tuple[int, str]]:
        for pid in process_tree.tree(self._pid, outside):
            try:
                yield pid, self.hierarchy.folder_of(pid)
            except OSError:  # it has just ended
                continue

    @property
    def backend(self) -> str:
        """Its name as a backend."""
        return f"{BACKEND} v{self.version}"

    def lift(self, controller: str) -> None:
        """Set every limit by a controller to none.

        Raises:
            OSError: The kernel does not accept it.
        """
        _lift(self.folder, controller)

    def write(self, name: str, value: str) -> None:
        """Write a file of the group.

        Raises:
            OSError: The kernel does not accept it.
        """
        write(self.folder, name, value)

    def read(self, name: str) -> str:
        """Return the text of a file of the group; empty if it cannot be read."""
        return text(self.folder, name)


def write(folder: str, name: str, value: str) -> None:
    """Write a file of a group at once.

    Raises:
        OSError: The kernel does not accept it.
    """
    try:
        file = os.open(f"{folder}/{name}", os.O_WRONLY | os.O_CLOEXEC)
        try:
            os.write(file, value.encode())
        finally:
            os.close(file)
    except OSError as error:
        raise OSError(error.errno, f"{folder}/{name} does not accept {value}: {error.strerror}") from error


def move(pid: int, folder: str) -> int:
    """Move a process with all its threads into a group; return 1, or 0 if it has ended.

    Raises:
        OSError: The kernel does not permit it.
    """
    try:
        write(folder, PROCESSES, str(pid))
    except OSError as error:
        if error.errno != errno.ESRCH:
            raise
        return 0
    return 1


def is_below(folder: str, ancestor: str) -> bool:
    """Return whether a folder is another one, or in it."""
    return f"{folder}/".startswith(f"{ancestor}/")


_holders: dict[str, int] = {}  # a lock on each group of this process; the kernel releases it when the process ends


def _hold(folder: str) -> None:
    """Keep the group until `undo_group`, also when the constraint around it ends sooner."""
    _holders[folder] = file = os.open(f"{folder}/{PROCESSES}", os.O_RDONLY | os.O_CLOEXEC)
    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)


def _is_held(folder: str) -> bool:
    """Return whether a constraint that is in force needs a group."""
    try:
        file = os.open(f"{folder}/{PROCESSES}", os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(file)
    return False


def _remove_abandoned(parent: str) -> None:
    """Remove the groups without processes that a run has left because its guardian was killed too."""
    for name in _ours(parent):
        for folder, _, _ in os.walk(f"{parent}/{name}", topdown=False):
            with suppress(OSError):  # such as one with processes
                if not _is_held(folder):
                    os.rmdir(folder)


def undo_group(record: guardian.Record) -> None:
    """Move the processes of a group back to its parent and remove it.

    A group of ours in it that is still needed stays, and so does this group, without limits: the end of the inner one
    removes both.
    """
    if (holder := _holders.pop(record["folder"], None)) is not None:
        os.close(holder)
    deadline = time.monotonic() + UNDO_TIMEOUT_S
    while time.monotonic() < deadline:
        try:
            with _locked(record["parent"]):
                _try_to_remove(record["folder"], record["parent"], record["version"])
            _remove_around(record["parent"], record["version"])
        except FileNotFoundError:  # its parent has been removed
            return
        except OSError:  # the kernel has not let go of it yet
            time.sleep(RETRY_S)
        else:
            return


def _remove_around(folder: str, version: int) -> None:
    """Remove the groups of ours around a removed one whose constraints have ended sooner."""
    while os.path.basename(folder).startswith(PREFIX) and os.path.basename(folder) != REST:
        parent = os.path.dirname(folder)
        with _locked(parent):
            if _is_held(folder):
                return
            _try_to_remove(folder, parent, version)
        folder = parent


def _try_to_remove(folder: str, parent: str, version: int) -> None:
    within = [each for each, _, _ in os.walk(folder, topdown=False)]
    if any(_is_held(each) for each in within if each != folder):
        for controller in NO_LIMIT:
            _lift(folder, controller)
        _move_all(folder, _home(version, parent))
        return
    for each in within:
        _move_all(each, _home(version, parent))
        os.rmdir(each)
    rest = f"{parent}/{REST}"
    if version == 2 and os.path.isdir(rest) and not _ours(parent):
        for controller in text(parent, ENABLED).split():
            write(parent, ENABLED, f"-{controller}")
        _move_all(rest, parent)
        os.rmdir(rest)


def _lift(folder: str, controller: str) -> None:
    """Set every limit that a group has by a controller to none."""
    for name, value in NO_LIMIT[controller].items():
        for line in text(folder, name).splitlines():
            write(folder, name, value.format(device=line.partition(" ")[0]))


def _ours(parent: str, besides: str = "") -> list[str]:
    """Return the groups of ours below a parent, without the one for the rest."""
    names = [name for name in os.listdir(parent) if name.startswith(PREFIX)]
    return [name for name in names if name != REST and f"{parent}/{name}" != besides]


def undo_move(record: guardian.Record) -> None:
    """Move a process back to the group that it came from, if that is not the parent of ours."""
    if process_tree.start_of(record["pid"]) == record["start"]:
        move(record["pid"], record["home"])


def undo_enabled(record: guardian.Record) -> None:
    """Take a controller from the children of a group, unless another group of ours may need it."""
    if not _ours(record["parent"], record["folder"]):
        write(record["parent"], ENABLED, f"-{record['controller']}")


def _home(version: int, parent: str) -> str:
    """Return where the processes of a parent are: itself, or the group for the rest."""
    rest = f"{parent}/{REST}"
    return rest if version == 2 and os.path.isdir(rest) else parent


def _move_all(folder: str, target: str) -> None:
    """Move all processes of a group into another, also those that are forked meanwhile."""
    deadline = time.monotonic() + UNDO_TIMEOUT_S
    while (pids := text(folder, PROCESSES).split()) and time.monotonic() < deadline:
        for pid in pids:
            move(int(pid), target)


def _has_limits(folder: str) -> bool:
    """Return whether a group of version 2 is no root, and so may not have processes beside groups with limits."""
    return os.path.exists(f"{folder}/cgroup.events")


@contextmanager
def _locked(folder: str) -> Iterator[None]:
    """Keep other constraints from changing the groups in a folder, and those that it is in itself.

    The lock is on the closest folder that is none of ours: the groups in one of ours are removed with it.
    """
    while os.path.basename(folder).startswith(PREFIX):
        folder = os.path.dirname(folder)
    file = os.open(folder, os.O_RDONLY | os.O_CLOEXEC | os.O_DIRECTORY)
    try:
        deadline = time.monotonic() + LOCK_TIMEOUT_S
        while True:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(RETRY_S)
        yield
    finally:
        os.close(file)
