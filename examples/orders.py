"""The program under test of the examples: orders in SQLite, and a report."""

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
        """Save an order; it is on the disk when this returns."""
        with self._database:
            self._database.execute("INSERT INTO orders (item, price) VALUES (?, ?)", (item, price))

    def total(self) -> float:
        """Return the sum of the prices of all orders."""
        return float(self._database.execute("SELECT coalesce(sum(price), 0) FROM orders").fetchone()[0])

    def close(self) -> None:
        """Close the database."""
        self._database.close()


def report(lines: int) -> bytes:
    """Return a long, compressed report; this takes most of the CPU time."""
    text = "\n".join(f"{number};{number * number % 9973}" for number in range(lines))
    return zlib.compress(text.encode(), level=9)
