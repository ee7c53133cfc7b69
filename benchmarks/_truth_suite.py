"""Tests of known cost and tests under loads, which record reference values from the kernel.

`truth.py` runs them. A reference value is a line of JSON: the test, the figure, its true value, its unit.
"""

from __future__ import annotations

import json
import mmap
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from itertools import product

import _kernel_truth as kernel
import pytest
from _shared import cpu_s

HELD_S = float(os.environ["TRUTH_SECONDS"])
CPU_COLUMNS = {
    "cpu_percent": ("user", "nice", "system", "irq", "softirq", "steal"), "cpu_user_percent": ("user", "nice"),
    "cpu_system_percent": ("system", "irq", "softirq"), "cpu_iowait_percent": ("iowait",),
    "cpu_steal_percent": ("steal",),
}  # fmt: skip
BURN = "import time\nwhile time.process_time() < {}: pass"
FILL = "import mmap; held = mmap.mmap(-1, {0}); held[::4096] = b'1' * ({0} // 4096)"
WRITE = (
    "import os\nfile = os.open({!r}, os.O_WRONLY | os.O_CREAT)\nfor _ in range({}): os.write(file, b'1' * (1 << 20))\n"
)
Note = Callable[[str, float], None]
Around = Callable[[str, Callable[[], float]], None]


@pytest.fixture
def note(request: pytest.FixtureRequest) -> Note:
    """Record the reference value of a figure of this test."""

    def write(figure: str, value: float) -> None:
        with open(os.environ["TRUTH_FILE"], "a") as file:
            file.write(json.dumps({"test": request.node.name, "figure": figure, "truth": value}) + "\n")

    return write


@pytest.fixture
def around(note: Note) -> Iterator[Around]:
    """Record the growth of a counter from now to the end of the test."""
    began = []
    yield lambda figure, counter: began.append((figure, counter, counter()))
    for figure, counter, before in began:
        note(figure, counter() - before)


@pytest.fixture
def slow_borders() -> Iterator[None]:
    """Take a known time for set-up and teardown."""
    time.sleep(0.2)
    yield
    time.sleep(0.3)


def fill(held: mmap.mmap) -> None:
    """Make all pages of a mapping resident."""
    held[:: mmap.PAGESIZE] = b"1" * (len(held) // mmap.PAGESIZE)


def burn(seconds: float) -> None:
    """Use this amount of CPU time."""
    until = time.process_time() + seconds
    while time.process_time() < until:
        pass


def reaped(note: Note, *commands: str) -> None:
    """Run programs, and record the resource usage from wait4(2)."""
    used, highest = 0.0, 0.0
    for command in commands:
        child = subprocess.Popen([sys.executable, "-S", "-c", command])
        usage = os.wait4(child.pid, 0)[2]
        child.returncode = 0  # it has been waited for
        used += usage.ru_utime + usage.ru_stime
        highest = max(highest, usage.ru_maxrss / 1024)
    note("children_cpu_s", used)
    note("children_peak_memory_MB", highest)


def test_burns(around: Around) -> None:
    around("cpu_s", kernel.own_cpu_s)
    burn(0.3)


def test_burns_little(around: Around) -> None:
    around("cpu_s", kernel.own_cpu_s)
    burn(0.01)


@pytest.mark.stress(cpu=os.cpu_count())
def test_waits_for_a_cpu(note: Note) -> None:
    before = kernel.not_running_s()
    burn(0.5)
    note("cpu_wait_s", kernel.not_running_s() - before)


@pytest.mark.usefixtures("slow_borders")
def test_waits(note: Note) -> None:
    note("setup_s", 0.2)
    note("teardown_s", 0.3)
    began = time.perf_counter()
    time.sleep(0.4)
    note("call_s", time.perf_counter() - began)


def test_has_children(note: Note) -> None:
    reaped(note, FILL.format(300 * kernel.MIB), BURN.format(0.3), BURN.format(0.1))


def test_holds_memory(note: Note) -> None:
    before = kernel.resident_mib("self")
    with mmap.mmap(-1, 200 * kernel.MIB) as held:
        fill(held)
        note("peak_memory_MB", kernel.resident_mib("self"))
        note("memory_growth_MB", kernel.resident_mib("self") - before)


def test_keeps_memory(note: Note, request: pytest.FixtureRequest) -> None:
    before = kernel.resident_mib("self")
    held = request.config.held = mmap.mmap(-1, 60 * kernel.MIB)  # type: ignore[attr-defined]
    fill(held)
    note("memory_kept_MB", kernel.resident_mib("self") - before)


def test_comes_after_one_that_kept_memory(note: Note) -> None:
    note("memory_kept_MB", 0)
    note("memory_growth_MB", 0)


def test_writes(around: Around, tmp_path: object) -> None:
    around("written_MB", lambda: kernel.io_mib("self", "write_bytes"))
    with open(f"{tmp_path}/file", "wb", buffering=0) as file:
        file.write(b"1" * 32 * kernel.MIB)
        os.fsync(file.fileno())


def test_reads(around: Around, tmp_path: object) -> None:
    with open(f"{tmp_path}/file", "w+b", buffering=0) as file:
        file.write(b"1" * 32 * kernel.MIB)
        os.fsync(file.fileno())
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
        around("read_MB", lambda: kernel.io_mib("self", "read_bytes"))
        file.seek(0)
        while file.read(kernel.MIB):
            pass


def test_switches(around: Around) -> None:
    around("context_switches", kernel.own_switches)
    for _ in range(200):
        time.sleep(0.001)


def test_faults(around: Around, tmp_path: object) -> None:
    with open(f"{tmp_path}/file", "w+b", buffering=0) as file:
        file.write(b"1" * 8 * kernel.MIB)
        os.fsync(file.fileno())
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
        around("major_faults", kernel.own_major_faults)
        with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as pages:
            pages.madvise(mmap.MADV_RANDOM)
            for at in range(0, len(pages), 64 * 1024):
                pages[at]


def test_rests_so_that_no_sample_of_the_next_one_tells_of_those_before() -> None:
    time.sleep(1)


def test_sampled(around: Around, note: Note, tmp_path: object) -> None:
    """Idle for a second before and after, so that metrics that are read twice a second are covered."""
    for column, states in CPU_COLUMNS.items():
        around(f"share: {column}", lambda states=states: kernel.host_cpu_s(*states))
    for resource, who in product(("cpu", "memory", "io"), ("some", "full")):
        column = f"pressure_{resource}_{'' if who == 'some' else 'full_'}percent"
        if column != "pressure_cpu_full_percent":
            around(f"seconds: {column}", lambda resource=resource, who=who: kernel.pressure_s(resource, who))
    around("sum: disk_write_MB", kernel.disks_written_mib)
    around("sum: disk_read_MB", kernel.disks_read_mib)
    around("sum: net_loopback_MB", kernel.loopback_mib)
    time.sleep(1)
    own = kernel.own_cpu_s()
    path = f"{tmp_path}/file"
    child = subprocess.Popen([sys.executable, "-S", "-c", WRITE.format(path, 64) + BURN.format(0.7)])
    time.sleep(0.6)
    highest = kernel.resident_mib("self") + kernel.resident_mib(child.pid)
    usage = os.wait4(child.pid, 0)[2]
    child.returncode = 0
    with open(path, "r+b", buffering=0) as file:
        os.fsync(file.fileno())
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
        while file.read(kernel.MIB):
            pass
    carry(32 * kernel.MIB)
    burn(0.5)
    note("share: tests_cpu_percent", kernel.own_cpu_s() - own + usage.ru_utime + usage.ru_stime)
    note("sum: tests_write_MB", usage.ru_oublock * kernel.SECTOR / kernel.MIB)
    note("highest: tests_resident_MB", highest)
    time.sleep(1)


def test_sampled_levels(note: Note) -> None:
    """Hold levels for a while, so that a sample shows the same state."""
    with subprocess.Popen([sys.executable, "-S", "-c", "input()"], stdin=subprocess.PIPE) as child:
        time.sleep(1.5)
        for column, value in kernel.levels().items():
            note(f"last: {column}", value)
        child.communicate(b"\n")


def carry(size: int) -> None:
    """Send this number of bytes over the loopback interface, and receive them."""
    with socket.create_server(("127.0.0.1", 0)) as server, socket.create_connection(server.getsockname()) as out:
        into = server.accept()[0]
        with into:
            for _ in range(size >> 16):
                out.sendall(b"1" * (1 << 16))
                left = 1 << 16
                while left:
                    left -= len(into.recv(left))


def rate(counter: Callable[[int], float]) -> float:
    """Return the growth per second of a counter, summed over the workers of the load of this test."""
    workers = kernel.stressor_workers(os.getpid())
    return growth(lambda: sum(map(counter, workers)))


def growth(counter: Callable[[], float]) -> float:
    """Return the growth of a counter per second."""
    began, before = time.perf_counter(), counter()
    time.sleep(HELD_S)
    return (counter() - before) / (time.perf_counter() - began)


@pytest.mark.stress(cpu=1)
def test_load_cpu_one_worker(note: Note) -> None:
    note("load: cpu_s a second", rate(cpu_s))


@pytest.mark.stress(cpu="50%")
def test_load_cpu_share(note: Note) -> None:
    note("load: cpu_s a second", rate(cpu_s))


@pytest.mark.stress(cpu="100%", ramp=f"{HELD_S}s")
def test_load_cpu_ramp(note: Note) -> None:
    note("load: cpu_s a second", rate(cpu_s))


@pytest.mark.stress(mem="256MiB")
def test_load_memory(note: Note) -> None:
    time.sleep(HELD_S)
    note("load: MiB", kernel.mapped_mib(kernel.stressor_workers(os.getpid())))


@pytest.mark.stress(disk="20MB/s")
def test_load_disk(note: Note) -> None:
    note("load: MB a second", rate(lambda pid: kernel.io_of(pid, "write_bytes") / 1e6))


@pytest.mark.stress(disk="20MB/s", ramp=f"{HELD_S}s")
def test_load_disk_ramp(note: Note) -> None:
    note("load: MB a second", rate(lambda pid: kernel.io_of(pid, "write_bytes") / 1e6))


@pytest.mark.stress(disk="20MB/s", pattern="read")
def test_load_disk_reads(note: Note) -> None:
    note("load: MB a second", rate(lambda pid: kernel.io_of(pid, "read_bytes") / 1e6))


@pytest.mark.stress(net="50MB/s")
def test_load_network(note: Note) -> None:
    note("load: MB a second", growth(lambda: kernel.loopback_mib() * kernel.MIB / 1e6))


@pytest.mark.stress(iops=100)
def test_load_operations(note: Note) -> None:
    note("load: operations a second", rate(lambda pid: kernel.io_of(pid, "wchar") / 4096))


@pytest.mark.stress(fds=500)
def test_load_open_files(note: Note) -> None:
    time.sleep(HELD_S)
    note("load: open files", kernel.open_files(kernel.stressor_workers(os.getpid())))


@pytest.mark.stress(threads=200)
def test_load_threads(note: Note) -> None:
    time.sleep(HELD_S)
    note("load: threads", kernel.threads(kernel.stressor_workers(os.getpid())))
