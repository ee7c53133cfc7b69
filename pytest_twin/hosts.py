"""The controller's end of pytest-xdist workers on other hosts: what they hand over gets into the run folder.

`handover` has the other end, and what is said. Nothing that comes from there is trusted: it names no path, a line that
is no row of its table is left out and counted, and the worker and the host of a row are those of the connection.
"""

from __future__ import annotations

import json
import math
import re
import shlex
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from pytest_twin.handover import BEAT_S, LOST
from pytest_twin.model.table import header, record, rows
from pytest_twin.private import Folder
from pytest_twin.rows import LONGEST_ROW, Rows
from pytest_twin.run_folder import ANNOTATIONS, DATASET, FINGERPRINT, HEADERS, HOSTS, HOSTS_FOLDER, TESTS, Table
from pytest_twin.settings import DEVICES

if TYPE_CHECKING:
    from pytest_twin.model.clock import Clock
    from pytest_twin.run_folder import RunFolder

HOST = "host"
NUMBERS = {"elapsed_s": float, "duration_s": float, "attempt": int}  # what the run's end counts with
MOST_COLUMNS = 10_000
WITH_VALUE = frozenset("BbcDEeFIiJLlmOoPpQRSWw")  # options of ssh(1) that have one


def is_remote(spec: Any) -> bool:
    """Whether a gateway leads to another host, or to one whose files we do not see."""
    return bool(spec.ssh or spec.socket or spec.vagrant_ssh or spec.via)


def address_of(spec: Any) -> str:
    """Where a gateway leads, in the words in which it was asked for."""
    if spec.ssh:
        return _destination(spec.ssh)
    return str(spec.socket or spec.vagrant_ssh or spec.via or "")


def name_of(address: str) -> str:
    """What the host at an address is called: no user, no port, and safe as the name of a folder everywhere."""
    host = address.removeprefix("ssh://").rpartition("@")[2]
    host = re.sub(r"(?<=.):\d+$", "", host)
    name = re.sub(r"[^A-Za-z0-9_.-]+", "-", host).strip("-.")[:60].strip("-.") or "host"
    return f"_{name}" if name.partition(".")[0].upper() in DEVICES else name


def _destination(words: str) -> str:
    """The destination among the words of an ssh command."""
    found = iter(shlex.split(words))
    for word in found:
        if not word.startswith("-"):
            return word
        if len(word) == 2 and word[1] in WITH_VALUE:
            next(found, "")
    return words


class Host:
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
        self.links: list[Link] = []
        self.sampling: Link | None = None
        self.turns = ""
        self.document: dict[str, Any] = {"address": address, "hostname": identity[0], "workers": {}}
        self._run = folder
        self._samples: Rows | None = None
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
                self._samples = Rows(str(self.folder / DATASET), header([*cells, HOST]))
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
        with Folder(self._run.path) as run, run.within(HOSTS_FOLDER) as hosts, hosts.within(self.name):
            pass

    def _may_head(self, cells: Sequence[str]) -> bool:
        known = set(cells)
        named = all(re.fullmatch(r"[A-Za-z0-9_.:%-]{1,100}", cell, re.ASCII) for cell in cells)
        return named and {"timestamp", "elapsed_s"} <= known and HOST not in known and len(cells) == len(known)

    def _is_sample(self, line: str, cells: Sequence[str]) -> bool:
        if len(cells) != len(self._columns) or not (line.isascii() and line.isprintable()) or '"' in line:
            return False
        return _is_number(cells[self._columns.index("elapsed_s")], float)


class Link:
    """The connection to one worker on another host.

    Attributes:
        node: The worker, as pytest-xdist has it.
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
        self.host: Host | None = None
        self.heard_at = time.monotonic()
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


class Hosts:
    """All workers on other hosts."""

    def __init__(
        self,
        folder: RunFolder,
        clock: Clock,
        timeout_s: float,
        begun: Callable[[], bool],
        told: Callable[[str, dict[str, Any]], None],
    ) -> None:
        """Prepare it.

        Args:
            folder: That of the run.
            clock: That of the run.
            timeout_s: How long nothing may be heard of a worker before it is given up.
            begun: Says whether the run is recorded, so that there is a folder for rows.
            told: Takes a note: its text and its fields; called from any thread.
        """
        self._folder, self._clock, self.timeout_s = folder, clock, timeout_s
        self._begun, self._tell = begun, told
        self._links: list[Link] = []
        self._hosts: list[Host] = []
        self._lock = threading.RLock()  # several gateways have a thread each
        self._over = threading.Event()
        self._watcher: threading.Thread | None = None

    def __bool__(self) -> bool:
        return bool(self._links)

    @property
    def asks(self) -> bool:
        """Whether any of the workers has something to record."""
        return any(link.asks for link in self._links)

    def connect(self, node: Any) -> Any:
        """A channel for a worker that is about to be started, by which it hands over its rows."""
        link = Link(node, node.gateway.newchannel())
        with self._lock:
            self._links.append(link)
            if self._watcher is None:
                self._watcher = threading.Thread(target=self._watch, name="twin-hosts", daemon=True)
                self._watcher.start()
        link.channel.setcallback(lambda said: self._hear(link, said), endmarker=LOST)
        return link.channel

    def down(self, node: Any) -> None:
        """A worker has ended, which may be one of them."""
        with self._lock:
            for link in self._links:
                if link.node is node:
                    self._leave(link)

    def close(self) -> None:
        """Nothing more comes; write down what is known of the hosts."""
        self._over.set()
        if self._watcher is not None:
            self._watcher.join()
        with self._lock:
            for link in self._links:
                self._leave(link)
            for host in self._hosts:
                host.close()
            self._write()
        for link in self._links:
            for count, what in ((link.damaged, "could not be understood"), (link.dropped, "could not be written")):
                if count and self._begun():
                    self._tell(f"{count} rows of {link.worker} {what}", {"worker": link.worker})

    # what a worker says, in the thread that listens to its gateway

    def _hear(self, link: Link, said: Any) -> None:
        link.heard_at = time.monotonic()
        with self._lock:
            if said is LOST or link.is_over:
                return
            try:
                word, *words = said
                getattr(self, f"_heard_{word}")(link, *words)
            except OSError:
                link.dropped += 1
            except (AttributeError, LookupError, TypeError, ValueError, RecursionError):
                link.damaged += 1

    def _heard_ping(self, link: Link) -> None:
        link.say("pong", time.monotonic())

    def _heard_beat(self, link: Link) -> None:
        link.say("beat", self._begun())

    def _heard_wanted(self, link: Link) -> None:
        link.say("wanted", self._begun())

    def _heard_hello(self, link: Link, who: dict[str, Any]) -> None:
        host = self._host((str(who["hostname"]), str(who["boot"])), address_of(link.node.gateway.spec))
        link.host = host
        host.links.append(link)
        host.document["workers"][link.worker] = {}
        first = host.sampling is None
        if first:
            host.sampling = link
            host.turns = str(who["turns"])
        link.say(
            "welcome",
            {
                "host": host.name,
                "clock": [self._clock.began, self._clock.epoch],
                "samples": first,
                "turns": host.turns,
            },
        )

    def _heard_clock(self, link: Link, offset_s: float, uncertainty_s: float, ahead_s: float) -> None:
        """How its clock goes: told when it begins, and once more when it ends."""
        if link.host is not None:
            told = {
                "at_s": round(self._clock.elapsed(time.monotonic()), 4),
                "offset_s": round(float(offset_s), 7),
                "uncertainty_s": round(float(uncertainty_s), 7),
                "calendar_ahead_s": round(float(ahead_s), 4),
            }
            link.host.document["workers"][link.worker].setdefault("clock", []).append(told)

    def _heard_asks(self, link: Link) -> None:
        link.asks = True

    def _heard_rows(self, link: Link, name: str, piece: bytes) -> None:
        link.take(self._folder, name, piece)

    def _heard_fingerprint(self, link: Link, text: bytes) -> None:
        if link.host is not None and link.host.sampling is link:
            link.host.take_fingerprint(text)
            self._write()

    def _heard_bye(self, link: Link) -> None:
        """Its tests are over; who samples goes on as long as others of its host have some."""
        link.has_tests = False
        self._let_go(link.host)

    def _host(self, identity: tuple[str, str], address: str) -> Host:
        known = next((host for host in self._hosts if host.identity == identity), None)
        if known is not None:
            return known
        name, taken = name_of(address), {host.name.casefold() for host in self._hosts}
        number = 1
        while (unique := f"{name}-{number}" if number > 1 else name).casefold() in taken:
            number += 1
        self._hosts.append(Host(unique, identity, address, self._folder))
        return self._hosts[-1]

    def _leave(self, link: Link) -> None:
        if link.is_over:
            return
        link.is_over = True
        link.close()
        if link.host is not None:
            link.host.links.remove(link)
            if link.host.sampling is link:
                link.host.sampling = None
            self._let_go(link.host)

    def _let_go(self, host: Host | None) -> None:
        """Let the worker end that samples for a host, when it is the last one there."""
        if host is not None and host.sampling is not None and not host.sampling.has_tests:
            others = [link for link in host.links if link is not host.sampling and link.has_tests]
            if not others:
                host.sampling.say("end")

    def _write(self) -> None:
        if self._hosts and self._begun():
            self._folder.write_json(HOSTS, {host.name: host.document for host in self._hosts})

    # hosts that are cut off

    def _watch(self) -> None:
        """Give up workers of which nothing was heard for too long."""
        looked = time.monotonic()
        while not self._over.wait(BEAT_S):
            now = time.monotonic()
            paused, looked = now - looked - BEAT_S, now
            for link in list(self._links):
                if paused > BEAT_S:  # it was us who did not listen
                    link.heard_at = max(link.heard_at, now)
                elif link.host is not None and not link.is_over and now - link.heard_at > self.timeout_s:
                    self._give_up(link, now - link.heard_at)

    def _give_up(self, link: Link, silent_s: float) -> None:
        """End a connection; pytest-xdist takes its worker for crashed then."""
        assert link.host is not None  # noqa: S101 - for the type checker
        with self._lock:
            link.host.document["workers"][link.worker]["given_up_at_s"] = round(
                self._clock.elapsed(time.monotonic()), 4
            )
            self._leave(link)
        if self._begun():
            text = f"{link.host.name} was not heard of for {silent_s:.1f} s, and is given up"
            self._tell(text, {"host": link.host.name, "worker": link.worker})
        cut(link.node.gateway)
        try:
            link.node.channel.close()
        except (AttributeError, OSError):  # it is not open yet, or has ended by that
            pass


def cut(gateway: Any) -> None:
    """Break a connection on this side, where waiting for the other one would last for minutes."""
    while gateway.spec.via:  # what leads there by another gateway ends with that
        gateway = gateway._group[gateway.spec.via]  # noqa: SLF001
    io = gateway._io  # noqa: SLF001 - `Gateway.exit` waits for the other side
    io.kill()
    if hasattr(io, "sock"):
        io.close_read()
