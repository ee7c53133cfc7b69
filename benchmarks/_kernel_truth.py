"""Reference values from counters of the kernel that pytest-twin does not read, or reads in another way."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Iterable
from pathlib import Path

import psutil

PAGE = os.sysconf("SC_PAGE_SIZE")
MIB = 1 << 20
SECTOR = 512
GIB = 1 << 30
CPU_STATES = ("user", "nice", "system", "idle", "iowait", "irq", "softirq", "steal")
LARGE = 8 * MIB  # a mapping of this size belongs to a load


def own_cpu_s() -> float:
    """Return the CPU seconds of all living threads of this process, in nanoseconds (/proc/PID/task/TID/schedstat)."""
    return sum(int(path.read_text().split()[0]) for path in Path("/proc/self/task").glob("*/schedstat")) / 1e9


def not_running_s() -> float:
    """Return the time without the CPU seconds of this thread: it grows while one that never sleeps waits for a CPU."""
    return time.perf_counter() - time.thread_time()


def resident_mib(pid: int | str) -> float:
    """Return the resident memory of a process (/proc/PID/statm)."""
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * PAGE / MIB


def own_switches() -> int:
    """Return the context switches of all living threads of this process (/proc/PID/task/TID/status)."""
    return sum(
        int(line.split()[1])
        for path in Path("/proc/self/task").glob("*/status")
        for line in path.read_text().splitlines()
        if "ctxt_switches" in line
    )


def own_major_faults() -> int:
    """Return the page faults of this process that required disk I/O (/proc/PID/stat)."""
    return int(Path("/proc/self/stat").read_text().rpartition(")")[2].split()[9])


def io_of(pid: int | str, figure: str) -> int:
    """Return a line of /proc/PID/io, such as ``write_bytes``."""
    words = Path(f"/proc/{pid}/io").read_text().split()
    return int(words[words.index(f"{figure}:") + 1])


def io_mib(pid: int | str, figure: str) -> float:
    """Return the same in MiB."""
    return io_of(pid, figure) / MIB


def mapped_mib(pids: Iterable[int]) -> float:
    """Return the resident memory of the large anonymous mappings of processes (/proc/PID/smaps)."""
    found, is_large = 0, False
    for pid in pids:
        for line in Path(f"/proc/{pid}/smaps").read_text().splitlines():
            words = line.split()
            if not words[0].endswith(":"):
                is_anonymous = len(words) == 5  # the sixth word is a file, or a name such as [heap]
            elif words[0] == "Size:":
                is_large = is_anonymous and int(words[1]) * 1024 >= LARGE
            elif words[0] == "Rss:" and is_large:
                found += int(words[1]) * 1024
    return found / MIB


def open_files(pids: Iterable[int]) -> int:
    """Return the number of descriptors of processes, without pipes and sockets (/proc/PID/fd)."""
    return sum(
        not os.readlink(path).startswith(("pipe:", "socket:", "anon_inode:"))
        for pid in pids
        for path in Path(f"/proc/{pid}/fd").iterdir()
    )


def threads(pids: Iterable[int]) -> int:
    """Return the number of threads of processes, without main threads (/proc/PID/task)."""
    return sum(len(list(Path(f"/proc/{pid}/task").iterdir())) - 1 for pid in pids)


def host_cpu_s(*states: str) -> float:
    """Return the CPU seconds of the host in these states (/proc/stat)."""
    ticks = dict(zip(CPU_STATES, map(int, _first("/proc/stat").split()[1:9]), strict=True))
    return sum(ticks[state] for state in states) / os.sysconf("SC_CLK_TCK")


def pressure_s(resource: str, who: str) -> float:
    """Return the seconds in which ``some`` or ``full`` tasks waited for a resource (/proc/pressure)."""
    lines = Path(f"/proc/pressure/{resource}").read_text().splitlines()
    return int(next(line for line in lines if line.startswith(who)).partition("total=")[2]) / 1e6


def levels() -> dict[str, float]:
    """Return current values of psutil and the standard library, by the column of the dataset to compare."""
    memory, swap, disk = psutil.virtual_memory(), psutil.swap_memory(), shutil.disk_usage("/")
    own = psutil.Process()
    programs = [each for each in own.children(recursive=True) if not _is_of_the_plugin(each)]
    return {
        "cpu_count_logical": psutil.cpu_count() or 0,
        "cpu_count_physical": psutil.cpu_count(logical=False) or 0,
        "ram_total_GB": memory.total / GIB,
        "ram_available_GB": memory.available / GIB,
        "ram_used_percent": memory.percent,
        **({"swap_used_percent": swap.percent} if swap.total else {}),
        "disk_total_GB": disk.total / GIB,
        "disk_used_percent": 100 * disk.used / (disk.used + disk.free),
        "process_count": len(psutil.pids()),
        "load_1m": os.getloadavg()[0],
        "load_5m": os.getloadavg()[1],
        "load_15m": os.getloadavg()[2],
        "tests_process_count": 1 + len(programs),
        "tests_thread_count": sum(each.num_threads() for each in (own, *programs)),
        "tests_open_files": sum(each.num_fds() for each in (own, *programs)),
    }


def _is_of_the_plugin(process: psutil.Process) -> bool:
    return any("pytest_twin" in word for word in process.cmdline()) or process.name() == "twin-stressors"


def disks_written_mib() -> float:
    """Return the data written to all whole disks (/proc/diskstats, /sys/block)."""
    return _sectors(9) * SECTOR / MIB


def disks_read_mib() -> float:
    """Return the data read from all whole disks."""
    return _sectors(5) * SECTOR / MIB


def loopback_mib() -> float:
    """Return the data sent over the loopback interface (/proc/net/dev)."""
    line = next(line for line in Path("/proc/net/dev").read_text().splitlines() if line.strip().startswith("lo:"))
    return int(line.partition(":")[2].split()[8]) / MIB


def stressor_workers(root: int) -> list[int]:
    """Return the worker processes of the loads of a process: the children of its supervisors."""
    below = [pid for pid in _children(root) if _first(f"/proc/{pid}/comm") == "twin-stressors"]
    return [worker for supervisor in below for worker in _children(supervisor)]


def _sectors(field: int) -> int:
    rows = (line.split() for line in Path("/proc/diskstats").read_text().splitlines())
    return sum(int(row[field]) for row in rows if Path(f"/sys/block/{row[2]}/device").exists())


def _children(pid: int) -> list[int]:
    return [int(word) for path in Path(f"/proc/{pid}/task").glob("*/children") for word in path.read_text().split()]


def _first(path: str) -> str:
    return Path(path).read_text().partition("\n")[0]
