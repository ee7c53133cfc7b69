"""A small shop, to have something to test: orders in SQLite, a report over them."""

from __future__ import annotations

import sqlite3
import zlib
from pathlib import Path


class Orders:
    """Orders in a database file."""

    def __init__(self, path: Path) -> None:
        self._database = sqlite3.connect(path)
        self._database.execute("CREATE TABLE orders (id INTEGER PRIMARY KEY, item TEXT, price REAL)")

    def save(self, item: str, price: float) -> None:
        """One order, on the disk when this returns."""
        with self._database:
            self._database.execute("INSERT INTO orders (item, price) VALUES (?, ?)", (item, price))

    def total(self) -> float:
        """What all orders come to."""
        return float(self._database.execute("SELECT coalesce(sum(price), 0) FROM orders").fetchone()[0])

    def close(self) -> None:
        """Let go of the file."""
        self._database.close()


def report(lines: int) -> bytes:
    """A long report, compressed: this is where the CPU goes."""
    text = "\n".join(f"{number};{number * number % 9973}" for number in range(lines))
    return zlib.compress(text.encode(), level=9)
