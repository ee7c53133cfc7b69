"""Put the rows that a worker on another host sends into the run folder.

Nothing that it sends is trusted: it names no path, a line that is no row of its table is left out and counted, and the
worker and the host of a row are those of the connection.
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
from pytest_twin.remote.protocol import encode
from pytest_twin.run_folder.layout import ANNOTATIONS, DATASET, FINGERPRINT, HEADERS, HOSTS_FOLDER, TESTS
from pytest_twin.run_folder.tables import Table

if TYPE_CHECKING:
    from pytest_twin.run_folder.folder import RunFolder

NUMERIC_COLUMNS = {"elapsed_s": float, "duration_s": float, "attempt": int}  # they are parsed when the run ends
MAX_COLUMNS = 10_000


class RemoteHost:
    """One other host of the run.

    Attributes:
        name: Its name in the run.
        identity: Its own hostname and an id of this start of the machine, which together are unique.
        connections: The connections to the workers on it that have not ended.
        sampling_worker: The connection to the worker that samples there, None while none does.
        lock_dir: A folder there for the lock by which its workers run stressed tests alone.
        document: Its entry in `hosts.json`.
    """

    def __init__(self, name: str, identity: tuple[str, str], address: str, folder: RunFolder) -> None:
        self.name, self.identity = name, identity
        self.connections: list[WorkerConnection] = []
        self.sampling_worker: WorkerConnection | None = None
        self.lock_dir = ""
        self.document: dict[str, Any] = {"address": address, "hostname": identity[0], "workers": {}}
        self._run = folder
        self._samples: AppendOnlyFile | None = None
        self._columns: Sequence[str] = ()

    def add_samples(self, lines: Sequence[str]) -> int:
        """Add lines to its dataset, and return the number of lines that are no samples.

        Raises:
            OSError: They cannot be written.
        """
        good = []
        for line in lines:
            cells = line.split(",")
            if self._columns == () and self._is_header(cells):
                self._columns = cells
                self._make_folder()
                self._samples = AppendOnlyFile(str(self.folder / DATASET), header([*cells, HOST]))
            elif list(self._columns) != cells:  # a sampler that replaces another one writes the header once more
                good.append(f"{line},{self.name}\n" if self._is_sample(line, cells) else "")
        text = "".join(good)
        if text and self._samples is not None:
            self._samples.append(text)
        return good.count("")

    def set_fingerprint(self, text: bytes) -> None:
        """Write its fingerprint.json.

        Raises:
            ValueError: The text is not JSON.
            OSError: It cannot be written.
        """
        found = json.loads(text)
        if isinstance(found, dict):
            self._make_folder()
            self.folder.write_json(FINGERPRINT, found)
            self.document["fingerprint"] = found

    @property
    def folder(self) -> RunFolder:
        """Its folder in the run folder."""
        return self._run.host_folder(self.name)

    def close(self) -> None:
        """Close its dataset."""
        if self._samples is not None:
            self._samples.close()

    def _make_folder(self) -> None:
        with PrivateDirectory(self._run.path) as run, run.within(HOSTS_FOLDER) as hosts, hosts.within(self.name):
            pass

    def _is_header(self, cells: Sequence[str]) -> bool:
        known = set(cells)
        named = all(re.fullmatch(r"[A-Za-z0-9_.:%-]{1,100}", cell, re.ASCII) for cell in cells)
        return (
            named
            and {"timestamp", "elapsed_s"} <= known
            and HOST not in known
            and len(cells) == len(known) < MAX_COLUMNS
        )

    def _is_sample(self, line: str, cells: Sequence[str]) -> bool:
        if len(cells) != len(self._columns) or not (line.isascii() and line.isprintable()) or '"' in line:
            return False
        return _is_number(cells[self._columns.index("elapsed_s")], float)


class WorkerConnection:
    """The connection to one worker on another host.

    Attributes:
        node: The worker's controller in pytest-xdist.
        channel: The channel of execnet to it.
        worker: The name of the worker.
        host: The host it runs on, None before it has introduced itself.
        last_contact: The monotonic time of its last message.
        wants_recording: Whether it has something to record.
        has_tests: Whether it may still run tests.
        malformed: The number of its lines and messages that could not be parsed.
        dropped: The number of its rows that could not be written.
        is_closed: Whether its messages are ignored from now on.
    """

    def __init__(self, node: Any, channel: Any) -> None:
        self.node, self.channel = node, channel
        self.worker: str = node.gateway.id
        self.host: RemoteHost | None = None
        self.last_contact = monotonic()
        self.wants_recording = self.is_closed = False
        self.has_tests = True
        self.malformed = self.dropped = 0
        self._tables: dict[str, Table] = {}
        self._torn: dict[str, bytes] = {}

    def send(self, message: tuple[Any, ...]) -> None:
        """Send it a message, if it is still connected."""
        try:
            self.channel.send(encode(message))
        except OSError:
            pass

    def add_rows(self, folder: RunFolder, name: str, piece: bytes) -> None:
        """Add the rows of a piece of one of its tables to that table of the run.

        Args:
            folder: The run folder.
            name: The file name of the table.
            piece: Bytes of the table; a row may be cut at either end.

        Raises:
            OSError: They cannot be written.
        """
        if self.host is None or name not in {ANNOTATIONS, TESTS, DATASET}:
            self.malformed += 1
            return
        whole, end, torn = (self._torn.get(name, b"") + piece).rpartition(b"\n")
        self._torn[name] = torn
        if len(torn) > LONGEST_ROW:
            self._torn[name] = b""
            self.malformed += 1
        text = whole.decode("utf-8", "backslashreplace")
        if not end:
            return
        if name == DATASET:
            self.malformed += self.host.add_samples(text.split("\n"))
            return
        good = "".join(self._rows(name, text))
        if name not in self._tables:
            self._tables[name] = folder.table(name, self.worker)
        if good:
            self._tables[name].append(good)
            self.dropped = sum(table.dropped for table in self._tables.values())

    def close(self) -> None:
        """Close its tables."""
        for table in self._tables.values():
            table.close()

    def _rows(self, name: str, text: str) -> Iterator[str]:
        """Yield the lines that are rows of the table, with the worker and the host of this connection."""
        assert self.host is not None  # noqa: S101 - for the type checker
        columns = list(HEADERS[name])
        for cells in rows(text):
            row = dict(zip(columns, cells, strict=False))
            if cells == columns:
                continue
            if len(cells) != len(columns) or not all(
                _is_number(row[column], kind) for column, kind in NUMERIC_COLUMNS.items() if column in row
            ):
                self.malformed += 1
                continue
            row["worker"], row[HOST] = self.worker, self.host.name
            yield record(list(row.values()))


def _is_number(cell: str, kind: Callable[[str], float]) -> bool:
    try:
        return math.isfinite(kind(cell))
    except ValueError:
        return False
