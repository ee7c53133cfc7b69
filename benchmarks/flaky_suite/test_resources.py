"""CPUs, memory and disk."""

from __future__ import annotations

import os
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from work import work

MIB = 1 << 20


def cpus() -> int:
    """Return the number of CPUs that may be used."""
    return len(os.sched_getaffinity(0))


def write(path: Path, blocks: int) -> None:
    """Write blocks that each have to be on the disk before the next."""
    with path.open("wb", buffering=0) as file:
        for _ in range(blocks):
            file.write(os.urandom(65536))
            os.fsync(file.fileno())


def test_nested_tasks() -> None:
    """A pool of one thread for each CPU, of which a task waits for another."""
    with ThreadPoolExecutor(cpus()) as pool:
        outer = pool.submit(lambda: pool.submit(work, 0.02).result(timeout=2))
        assert outer.result()


def test_pool_beside_the_main_thread() -> None:
    """A pool that leaves one CPU to others."""
    with ThreadPoolExecutor(cpus() - 1) as pool:
        assert pool.submit(work, 0.02).result()


def test_polite_steps() -> None:
    """A deadline for steps that each give way to other processes."""
    began = time.perf_counter()
    for _ in range(60):
        os.sched_yield()
    assert time.perf_counter() - began < 0.3


def test_journal_is_written_in_time(tmp_path: Path) -> None:
    """A deadline for data to be on the disk."""
    began = time.perf_counter()
    write(tmp_path / "journal", 10)
    assert time.perf_counter() - began < 0.3


def test_spool_in_memory() -> None:
    """A file in memory, which counts as memory of the process only for the kernel."""
    with open(os.memfd_create("spool"), "wb", buffering=0) as spool:
        spool.writelines(b"x" * MIB for _ in range(256))
        assert spool.tell() == 256 * MIB


def test_pool_of_at_least_one() -> None:
    """A pool that has at least one thread."""
    with ThreadPoolExecutor(max(1, cpus() - 1)) as pool:
        assert pool.submit(work, 0.02).result()


def test_many_threads() -> None:
    """Many threads of which each does a little."""
    with ThreadPoolExecutor(40) as pool:
        assert len(list(pool.map(work, [0.002] * 80))) == 80


def test_journal_is_written(tmp_path: Path) -> None:
    """Data that has to be on the disk, without a deadline."""
    write(tmp_path / "journal", 10)
    assert (tmp_path / "journal").stat().st_size == 655360


def test_table_in_memory() -> None:
    """Much memory, but always as much."""
    table = bytearray(b"x") * (64 * MIB)
    assert table[-1] == table[0]


def test_table_in_pieces() -> None:
    """Memory that is given back."""
    for _ in range(20):
        piece = bytearray(b"x") * (8 * MIB)
        work(0.002)
        assert piece[-1] == piece[0]
