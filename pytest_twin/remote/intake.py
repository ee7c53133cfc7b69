"""What comes from a worker on another host gets into the run folder.

Nothing that comes from there is trusted: it names no path, a line that is no row of its table is left out and counted,
and the worker and the host of a row are those of the connection.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from pytest_twin._system.append_file import LONGEST_ROW, AppendOnlyFile
from pytest_twin._system.clock import monotonic
from pytest_twin._system.private_files import PrivateDirectory
from pytest_twin.model.csv_text import header, record, rows
from pytest_twin.model.event import HOST
from pytest_twin.run_folder.layout import ANNOTATIONS, DATASET, FINGERPRINT, HEADERS, HOSTS_FOLDER, TESTS
from pytest_twin.run_folder.tables import Table

if TYPE_CHECKING:
    from pytest_twin.run_folder.folder import RunFolder

NUMBERS = {"elapsed_s": float, "duration_s": float, "attempt": int}  # what the run's end counts with
MOST_COLUMNS = 10_000


class RemoteHost:
    """One other host of the run.

    Attributes:
        name: What it is called.
        identity: What tells it from others: its own name for itself, and which start of the machine it is.
        links: The workers on it that are still at work.
        sampling: The worker that samples there, None while none does.
        turns: A folder there by which its workers take turns.
        document: What `hosts.json` says of it.
    """

    def __init__(self, name: str, identity: tuple[str, str], address: str, folder: RunFolder) -> None:
        self.name, self.identity = name, identity
        self.links: list[WorkerConnection] = []
        self.sampling: WorkerConnection | None = None
        self.turns = ""
        self.document: dict[str, Any] = {"address": address, "hostname": identity[0], "workers": {}}
        self._run = folder
        self._samples: AppendOnlyFile | None = None
        self._columns: Sequence[str] = ()

    def take_samples(self, lines: Sequence[str]) -> int:
        """Add lines of its dataset; comes back with how many were none.

        Raises:
            OSError: They cannot be written.
        """
        good = []
        for line in lines:
            cells = line.split(",")
            if self._columns == () and self._may_head(cells):
                self._columns = cells
                self._make_folder()
                self._samples = AppendOnlyFile(str(self.folder / DATASET), header([*cells, HOST]))
            elif list(self._columns) != cells:  # the sampler that came after another has a heading of its own
                good.append(f"{line},{self.name}\n" if self._is_sample(line, cells) else "")
        text = "".join(good)
        if text and self._samples is not None:
            self._samples.append(text)
        return good.count("")

    def take_fingerprint(self, text: bytes) -> None:
        """Keep what its hardware and software are.

        Raises:
            ValueError: It is no JSON.
            OSError: It cannot be written.
        """
        found = json.loads(text)
        if isinstance(found, dict):
            self._make_folder()
            self.folder.write_json(FINGERPRINT, found)
            self.document["fingerprint"] = found

    @property
    def folder(self) -> RunFolder:
        """Its own folder in that of the run."""
        return self._run.of_host(self.name)

    def close(self) -> None:
        """No more samples."""
        if self._samples is not None:
            self._samples.close()

    def _make_folder(self) -> None:
        with PrivateDirectory(self._run.path) as run, run.within(HOSTS_FOLDER) as hosts, hosts.within(self.name):
            pass

    def _may_head(self, cells: Sequence[str]) -> bool:
        known = set(cells)
        named = all(re.fullmatch(r"[A-Za-z0-9_.:%-]{1,100}", cell, re.ASCII) for cell in cells)
        return (
            named
            and {"timestamp", "elapsed_s"} <= known
            and HOST not in known
            and len(cells) == len(known) < MOST_COLUMNS
        )

    def _is_sample(self, line: str, cells: Sequence[str]) -> bool:
        if len(cells) != len(self._columns) or not (line.isascii() and line.isprintable()) or '"' in line:
            return False
        return _is_number(cells[self._columns.index("elapsed_s")], float)


class WorkerConnection:
    """The connection to one worker on another host.

    Attributes:
        node: The worker, as pytest-xdist has it.
        channel: To it, by execnet.
        worker: Its name.
        host: The host it is on, None before it has said so.
        heard_at: `time.monotonic` when anything was heard of it.
        asks: Whether it has something to record.
        has_tests: Whether it may still run some.
        damaged: Lines and messages that could not be understood.
        dropped: Rows that could not be written.
        is_over: Whether nothing that comes from it counts any more.
    """

    def __init__(self, node: Any, channel: Any) -> None:
        self.node, self.channel = node, channel
        self.worker: str = node.gateway.id
        self.host: RemoteHost | None = None
        self.heard_at = monotonic()
        self.asks = self.is_over = False
        self.has_tests = True
        self.damaged = self.dropped = 0
        self._tables: dict[str, Table] = {}
        self._torn: dict[str, bytes] = {}

    def say(self, *words: Any) -> None:
        """Tell it something; one that is gone hears nothing."""
        try:
            self.channel.send(words)
        except OSError:
            pass

    def take(self, folder: RunFolder, name: str, piece: bytes) -> None:
        """Add what it has got of a table to the run.

        Raises:
            OSError: It cannot be written.
        """
        if self.host is None or name not in {ANNOTATIONS, TESTS, DATASET}:
            self.damaged += 1
            return
        whole, end, torn = (self._torn.get(name, b"") + piece).rpartition(b"\n")
        self._torn[name] = torn
        if len(torn) > LONGEST_ROW:
            self._torn[name] = b""
            self.damaged += 1
        text = whole.decode("utf-8", "backslashreplace")
        if not end:
            return
        if name == DATASET:
            self.damaged += self.host.take_samples(text.split("\n"))
            return
        good = "".join(self._rows(name, text))
        if name not in self._tables:
            self._tables[name] = folder.table(name, self.worker)
        if good:
            self._tables[name].append(good)
            self.dropped = sum(table.dropped for table in self._tables.values())

    def close(self) -> None:
        """No more rows."""
        for table in self._tables.values():
            table.close()

    def _rows(self, name: str, text: str) -> Iterator[str]:
        """Those lines that are rows of the table, with worker and host as we know them."""
        assert self.host is not None  # noqa: S101 - for the type checker
        columns = list(HEADERS[name])
        for cells in rows(text):
            row = dict(zip(columns, cells, strict=False))
            if cells == columns:
                continue
            if len(cells) != len(columns) or not all(
                _is_number(row[column], kind) for column, kind in NUMBERS.items() if column in row
            ):
                self.damaged += 1
                continue
            row["worker"], row[HOST] = self.worker, self.host.name
            yield record(list(row.values()))


def _is_number(cell: str, kind: Callable[[str], float]) -> bool:
    try:
        return math.isfinite(kind(cell))
    except ValueError:
        return False
