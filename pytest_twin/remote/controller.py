"""The controller's end of pytest-xdist workers on other hosts: what they hand over, and whether they are still there.

`handover` has the other end, `conversation` what is said; `taking` has what becomes of it.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from pytest_twin._system.clock import monotonic
from pytest_twin._system.interruptible_event import InterruptSafeEvent
from pytest_twin.remote.gateways import address_of, name_of
from pytest_twin.remote.intake import RemoteHost, WorkerConnection
from pytest_twin.remote.protocol import BEAT_S, LOST
from pytest_twin.run_folder.layout import HOSTS

if TYPE_CHECKING:
    from pytest_twin.model.clock import Clock
    from pytest_twin.run_folder.folder import RunFolder


class RemoteHosts:
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
        self._links: list[WorkerConnection] = []
        self._hosts: list[RemoteHost] = []
        self._lock = threading.RLock()  # several gateways have a thread each
        self._over = InterruptSafeEvent()
        self._watcher: threading.Thread | None = None

    @property
    def asks(self) -> bool:
        """Whether any of the workers has something to record."""
        return any(link.asks for link in self._links)

    def connect(self, node: Any) -> Any:
        """A channel for a worker that is about to be started, by which it hands over its rows."""
        link = WorkerConnection(node, node.gateway.newchannel())
        with self._lock:
            self._links.append(link)
            if self._watcher is None:
                self._watcher = threading.Thread(target=self._watch, name="twin-hosts", daemon=True)
                self._watcher.start()
        link.channel.setcallback(lambda said: self._hear(link, said), endmarker=LOST)
        return link.channel

    def host_of(self, node: Any) -> str:
        """What the host of a worker is called, empty for pytest's own."""
        return next((link.host.name for link in self._links if link.node is node and link.host is not None), "")

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

    def _hear(self, link: WorkerConnection, said: Any) -> None:
        link.heard_at = monotonic()
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

    def _heard_ping(self, link: WorkerConnection) -> None:
        link.say("pong", monotonic())

    def _heard_beat(self, link: WorkerConnection) -> None:
        link.say("beat", self._begun())

    def _heard_wanted(self, link: WorkerConnection) -> None:
        link.say("wanted", self._begun())

    def _heard_hello(self, link: WorkerConnection, who: dict[str, Any]) -> None:
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

    def _heard_clock(self, link: WorkerConnection, offset_s: float, uncertainty_s: float, ahead_s: float) -> None:
        """How its clock goes: told when it begins, and once more when it ends."""
        if link.host is not None:
            told = {
                "at_s": round(self._clock.elapsed(monotonic()), 4),
                "offset_s": round(float(offset_s), 7),
                "uncertainty_s": round(float(uncertainty_s), 7),
                "calendar_ahead_s": round(float(ahead_s), 4),
            }
            link.host.document["workers"][link.worker].setdefault("clock", []).append(told)

    def _heard_asks(self, link: WorkerConnection) -> None:
        link.asks = True

    def _heard_rows(self, link: WorkerConnection, name: str, piece: bytes) -> None:
        link.say("beat", True)  # so that a long piece of work is no silence
        link.take(self._folder, name, piece)

    def _heard_fingerprint(self, link: WorkerConnection, text: bytes) -> None:
        if link.host is not None and link.host.sampling is link:
            link.host.take_fingerprint(text)
            self._write()

    def _heard_bye(self, link: WorkerConnection) -> None:
        """Its tests are over; who samples goes on as long as others of its host have some."""
        link.has_tests = False
        self._let_go(link.host)

    def _host(self, identity: tuple[str, str], address: str) -> RemoteHost:
        known = next((host for host in self._hosts if host.identity == identity), None)
        if known is not None:
            return known
        name, taken = name_of(address), {host.name.casefold() for host in self._hosts}
        number = 1
        while (unique := f"{name}-{number}" if number > 1 else name).casefold() in taken:
            number += 1
        self._hosts.append(RemoteHost(unique, identity, address, self._folder))
        return self._hosts[-1]

    def _leave(self, link: WorkerConnection) -> None:
        if link.is_over:
            return
        link.is_over = True
        link.close()
        if link.host is not None:
            link.host.links.remove(link)
            if link.host.sampling is link:
                link.host.sampling = None
            self._let_go(link.host)

    def _let_go(self, host: RemoteHost | None) -> None:
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
        looked = monotonic()
        while not self._over.wait(BEAT_S):
            now = monotonic()
            paused, looked = now - looked - BEAT_S, now
            for link in list(self._links):
                if paused > BEAT_S:  # it was us who did not listen
                    link.heard_at = max(link.heard_at, now)
                elif link.host is not None and not link.is_over and now - link.heard_at > self.timeout_s:
                    self._give_up(link, now - link.heard_at)

    def _give_up(self, link: WorkerConnection, silent_s: float) -> None:
        """End a connection; pytest-xdist takes its worker for crashed then."""
        assert link.host is not None  # noqa: S101 - for the type checker
        with self._lock:
            link.host.document["workers"][link.worker]["given_up_at_s"] = round(self._clock.elapsed(monotonic()), 4)
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
