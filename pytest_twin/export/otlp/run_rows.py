"""Read the files of a run with the standard library: the exporter has to start and to end quickly."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from functools import cached_property
from hashlib import blake2b
from pathlib import Path
from statistics import median_low
from typing import Any

from pytest_twin.model import event
from pytest_twin.model.columns import ELAPSED, TIMESTAMP
from pytest_twin.model.csv_text import parse_number, records, rows
from pytest_twin.run_folder.layout import ANNOTATIONS, DATASET, FINGERPRINT, HOSTS, HOSTS_FOLDER, OUTCOMES, TESTS
from pytest_twin.run_folder.rotation import PARQUET, open_segments
from pytest_twin.run_folder.tables import TEST_EVENT

Row = Mapping[str, str]
OWN = ""  # the host of pytest itself
ENOUGH = 100  # rows to tell the origin of a clock
AGREE_US = 2000  # a time of the calendar is written to the millisecond
START = "start"  # the column of tests.csv with the time by the calendar


class EpochAxis:
    """Converts the times of rows to nanoseconds since 1970.

    The seconds since the start of the run are finer than the time by the calendar, of which only their origin is taken.
    """

    def __init__(self, times: Iterable[tuple[str, str]]) -> None:
        """Find the origin.

        Args:
            times: The time by the calendar and the seconds since the start, as the rows have them.
        """
        known = ((_calendar_us(stamp), _elapsed_us(elapsed)) for stamp, elapsed in times)
        shifts = [calendar - elapsed for calendar, elapsed in known if calendar is not None and elapsed is not None]
        self._origin_us = median_low(shifts) if shifts else 0

    def ns(self, stamp: str, elapsed: str) -> int | None:
        """Return a time; None if a row has none."""
        calendar, own = _calendar_us(stamp), _elapsed_us(elapsed)
        if own is not None and (calendar is None or abs(self._origin_us + own - calendar) < AGREE_US):
            return (self._origin_us + own) * 1000
        return None if calendar is None else calendar * 1000  # the seconds are those of another run


def _calendar_us(stamp: str) -> int | None:
    try:
        at = datetime.fromisoformat(stamp)
    except ValueError:
        return None
    return round(at.timestamp() * 1000) * 1000 if at.tzinfo is not None else None


def _elapsed_us(elapsed: str) -> int | None:
    seconds = parse_number(elapsed)
    return None if seconds is None else round(seconds * 1e6)


class RunRows:
    """The rows of a run.

    Attributes:
        path: The run folder.
        tests: The rows of tests.csv.
        events: The rows of annotations.csv; without those of tests, if all of them have ended and are in tests.csv.
        axis: The times of both.
        identity: A digest of both, which no other run has.
    """

    def __init__(self, path: Path) -> None:
        """Read the tables.

        Raises:
            OSError: A file cannot be read.
            ValueError: A file is not CSV.
        """
        self.path = path
        texts = {name: _text(path / name) for name in (TESTS, ANNOTATIONS)}
        self.tests = records(texts[TESTS])
        self.events = records(_without_ended_tests(texts[ANNOTATIONS]) if self.tests else texts[ANNOTATIONS])
        of_tests = ((row.get(START, ""), row.get(ELAPSED.name, "")) for row in self.tests[:ENOUGH])
        self.axis = EpochAxis([*of_tests, *(event_time(row) for row in self.events[:ENOUGH])])
        self.identity = blake2b("\0".join(texts.values()).encode("utf-8", "surrogatepass"), digest_size=32).digest()

    @cached_property
    def fingerprints(self) -> dict[str, Mapping[str, Any]]:
        """The fingerprint of each host; empty where it is unknown."""
        return {OWN: _document(self.path / FINGERPRINT)} | {
            name: _mapping(each.get("fingerprint")) for name, each in self._others.items()
        }

    @cached_property
    def host_names(self) -> dict[str, str]:
        """The names that other hosts have for themselves, by their names in the run."""
        return {name: str(each.get("hostname") or name) for name, each in self._others.items()}

    @cached_property
    def _others(self) -> dict[str, Mapping[str, Any]]:
        return {name: _mapping(each) for name, each in _document(self.path / HOSTS).items()}

    @property
    def outcomes(self) -> dict[str, int]:
        """The number of tests by outcome, as pytest counted them; empty if the session did not finish."""
        return {name: many for name, many in _document(self.path / OUTCOMES).items() if type(many) is int}

    @property
    def hosts(self) -> list[str]:
        """The hosts that have rows or samples, pytest's own first."""
        named = {row.get("host", OWN) for row in (*self.tests, *self.events)}
        return sorted({OWN, *named, *self._others})

    def samples(self, host: str) -> Iterator[tuple[Sequence[str], Sequence[str]]]:
        """Yield the samples of a host: the names of the columns, and the cells of a row.

        Raises:
            OSError: A file cannot be read.
            ValueError: A file is not CSV.
        """
        folder = self.path / HOSTS_FOLDER / host if host else self.path
        if not folder.is_dir() or (folder.is_symlink() and host):
            return
        for piece in open_segments(folder / DATASET):
            if piece.path.suffix == PARQUET:
                yield from _parquet_rows(piece.path)
                continue
            text, _, _ = piece.file.read().decode(errors="replace").rpartition("\n")  # without a torn line
            names: Sequence[str] = ()
            for cells in rows(text):
                if cells[0] == TIMESTAMP.name:
                    names = cells
                elif len(cells) == len(names):
                    yield names, cells


def _without_ended_tests(text: str) -> str:
    """Return the text of annotations.csv without the rows of tests, which are most of it, if each start has an end."""
    rest, found = TEST_EVENT.subn("", text)
    word = f",{event.START},"
    starts = text.count(word) - rest.count(word)
    return rest if 2 * starts == found else text


def event_time(row: Row) -> tuple[str, str]:
    """Return the two times of a row of annotations.csv or of the samples."""
    return row.get(TIMESTAMP.name, ""), row.get(ELAPSED.name, "")


def _parquet_rows(path: Path) -> Iterator[tuple[Sequence[str], Sequence[str]]]:
    """Yield the rows of a dataset that was converted, as the CSV had them."""
    try:
        from pyarrow import parquet
    except ImportError:
        raise ValueError(f"{path} needs pyarrow; pip install 'pytest-twin[parquet]'") from None
    for batch in parquet.ParquetFile(path).iter_batches():
        names = batch.schema.names
        for row in batch.to_pylist():
            yield names, ["" if row[name] is None else str(row[name]) for name in names]


def _text(path: Path) -> str:
    """Return the text of a table; empty where there is no such file."""
    return path.read_text(encoding="utf-8", errors="replace") if path.is_file() else ""


def _document(path: Path) -> Mapping[str, Any]:
    try:
        return _mapping(json.loads(_text(path) or "{}"))
    except (OSError, ValueError):
        return {}


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}
