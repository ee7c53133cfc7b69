"""Real work that a replay is measured with: a compiler and a database, in turns, until the time is over.

    python benchmarks/_machine_work.py --seconds 60 --directory .

Each turn compiles a part of Python's library, writes rows to an SQLite database and syncs it, reads it from the disk,
and holds a table in memory for a while.
"""

from __future__ import annotations

import argparse
import os
import random
import sqlite3
import sysconfig
import tempfile
import time
from pathlib import Path

LIBRARY = Path(sysconfig.get_paths()["stdlib"])
PACKAGES = ("asyncio", "email", "json", "multiprocessing", "unittest", "xml", "http", "logging", "sqlite3")


def compile_package(name: str, seconds: float) -> None:
    """Compile a package of the library again and again."""
    end = time.monotonic() + seconds
    sources = [path.read_text(encoding="utf-8") for path in sorted((LIBRARY / name).rglob("*.py"))]
    while time.monotonic() < end:
        for source in sources:
            compile(source, name, "exec", optimize=2)
            if time.monotonic() >= end:
                return


def write_rows(path: str, rows: int) -> None:
    """Write rows to the database, a transaction for every ten thousand."""
    with sqlite3.connect(path) as database:
        database.execute("CREATE TABLE IF NOT EXISTS reading (at INTEGER, name TEXT, value BLOB)")
        for first in range(0, rows, 10_000):
            values = ((at, f"sensor {at % 97}", os.urandom(200)) for at in range(first, first + 10_000))
            database.executemany("INSERT INTO reading VALUES (?, ?, ?)", values)
            database.commit()
    with open(path, "rb+") as file:
        os.fsync(file.fileno())


def read_rows(path: str) -> list[tuple[str, int, float]]:
    """Read the database from the disk, and return sums of it."""
    with open(path, "rb") as file:
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
    with sqlite3.connect(path) as database:
        query = "SELECT name, count(*), avg(length(value)) FROM reading GROUP BY name"
        return list(database.execute(query))


def work(seconds: float) -> None:
    """Take turns until the time is over; turns differ, and are the same each time."""
    draw, end = random.Random(1), time.monotonic() + seconds
    table: list[bytes] = []
    with tempfile.TemporaryDirectory(dir=".") as folder:
        path = str(Path(folder) / "readings.db")
        while time.monotonic() < end:
            compile_package(draw.choice(PACKAGES), draw.uniform(1, 4))
            table = [bytes(1 << 20) for _ in range(draw.randrange(50, 700))]
            write_rows(path, draw.randrange(20_000, 120_000))
            time.sleep(draw.uniform(0.5, 3))
            read_rows(path)
            if draw.random() < 0.5:
                table.clear()
            time.sleep(draw.uniform(0, 2))
    table.clear()


def main() -> None:
    """Work."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=60, help="how long")
    parser.add_argument("--directory", type=Path, default=Path(), help="where the database is")
    given = parser.parse_args()
    os.chdir(given.directory)
    work(given.seconds)


if __name__ == "__main__":
    main()
