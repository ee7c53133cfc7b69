"""Our end of the supervisor: started when first needed, told what to apply, and listened to."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import cache
from typing import IO, TYPE_CHECKING, Any

from pytest_twin import environment, ours, stressors
from pytest_twin.applied import ANSWER_WITHIN_S, Applied
from pytest_twin.latch import Latch
from pytest_twin.model.clock import monotonic

if TYPE_CHECKING:
    from pytest_twin.model.load import Part
    from pytest_twin.stressors.kind import Kind

ENTRY_POINTS = "pytest_twin.stressors"
START_WITHIN_S = 10.0
END_WITHIN_S = 10.0

Told = Callable[[Applied, dict[str, Any]], None]
Paused = Callable[[dict[str, Any]], None]


class Supervisor:
    """The one small process that owns all stressors of this process; a thread listens to it.

    One that died takes its loads along, and the next load gets another one.

    Attributes:
        paused_s: Seconds in which the loads were paused so far.
    """

    def __init__(
        self, told: Told, paused: Paused, *, samples: str = "", limit: Sequence[Part] = (),
        owner: int | None = None,
    ) -> None:  # fmt: skip
        """Prepare it.

        Args:
            told: Called from the listening thread with every reply on a load.
            paused: Called, from there too, when all loads are paused, and when they go on or have ended.
            samples: The dataset that conditions on samples are about.
            limit: The most that may be applied at the same time.
            owner: A process besides this one without which no load may go on.
        """
        self._owner = owner
        self._told, self._paused = told, paused
        self._samples, self._limit = samples, limit
        self.paused_s = 0.0
        self._forbidden = ""
        self._resumed = Latch()
        self._process: subprocess.Popen[bytes] | None = None
        self._listener: threading.Thread | None = None
        self._applied: dict[str, Applied] = {}
        self._lock = threading.Lock()  # of its stdin
        self._changing = threading.RLock()  # held by who starts it or asks of it, and by who finds it dead
        self._listens = Latch()  # or has ended

    def apply(
        self, name: str, part: Part, *, test: str = "", note: str = "", start: float | None = None,
        duration: float | None = None, seed: int = 0, directory: str = "",
    ) -> Applied:  # fmt: skip
        """Ask for one kind of load.

        Args:
            name: Its id.
            part: What to apply.
            test: The test it belongs to.
            note: Free text for its rows.
            start: When, in the time of loads (`now`); None is at once.
            duration: Seconds that it lasts; None is until it is stopped.
            seed: Makes what is drawn at random repeatable.
            directory: Where a disk stressor writes, unless the load says so.
        """
        applied = Applied(self.send, name, part, test, note)
        request = part.request()
        request["options"].setdefault("directory", directory)
        self._bury()
        with self._changing:
            try:
                self._start()
            except OSError as error:
                self._hand_on(applied, applied.gone(f"the supervisor cannot be started: {error}"))
                return applied
            self._applied[name] = applied
        self.send({"op": "apply", "id": name, "start": start, "duration": duration, "seed": seed, **request})
        return applied

    def now(self) -> float:
        """The time of loads: `time.monotonic`, less the time in which they were paused."""
        return monotonic() - self.paused_s

    def pause(self, reason: str) -> None:
        """Let all loads rest, and their time stand still."""
        if self._process is None:
            self._paused({"event": "paused", "at": monotonic(), "reason": reason})
        self.send({"op": "pause", "reason": reason})

    def resume(self, reason: str) -> None:
        """Let them go on."""
        if self._process is None:
            self._paused({"event": "resumed", "at": monotonic()})
            return
        self._resumed.clear()
        self.send({"op": "resume", "reason": reason})
        self._resumed.wait(ANSWER_WITHIN_S)  # the time of loads is right from here on

    @property
    def pid(self) -> int | None:
        """Its process id, None while there is no such process."""
        return self._process.pid if self._process else None

    @property
    def running(self) -> list[Applied]:
        """Loads that are applied or wait for their time."""
        return list(self._applied.values())

    def send(self, message: dict[str, Any]) -> None:
        """Write one line to it; one that is gone hears nothing, and the listening thread says so."""
        process = self._process
        if process is None or process.stdin is None:
            return
        try:
            with self._lock:
                process.stdin.write(json.dumps(message).encode() + b"\n")
                process.stdin.flush()
        except (OSError, ValueError):
            pass

    def close(self) -> None:
        """Take everything down; comes back when nothing is left."""
        process, self._process = self._process, None
        if process is not None:
            self._close_stdin(process)
            try:
                process.wait(END_WITHIN_S)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        if self._listener is not None:
            self._listener.join()

    def start(self) -> None:
        """Start it, unless it is there; comes back when it listens.

        Raises:
            OSError: It cannot be started.
        """
        self._bury()
        with self._changing:
            self._start()

    def forbid(self, why: str) -> None:
        """Let it not be started any more.

        Args:
            why: Told of every load that is asked for from now on.
        """
        self._forbidden = why

    def _bury(self) -> None:
        """Have everything told of one that died, before there is another."""
        if self._process is not None and self._process.poll() is not None and self._listener is not None:
            self._listener.join()

    def _start(self) -> None:
        if self._process is not None:
            return
        if self._forbidden:
            raise OSError(self._forbidden)
        self._listens.clear()
        self.paused_s = 0.0
        errors = tempfile.TemporaryFile()  # noqa: SIM115 - closed by the thread that listens
        try:
            process = self._spawn(errors)
        except OSError as error:
            errors.close()
            raise OSError(error.strerror or str(error)) from None
        listener = threading.Thread(target=self._listen, args=(process, errors), name="twin-supervisor", daemon=True)
        try:
            listener.start()
            self._process, self._listener = process, listener  # not before: a process needs somebody who listens to it
            self._introduce()
        except RuntimeError as error:  # the system has no more threads
            process.kill()
            process.communicate()
            errors.close()
            raise OSError(str(error)) from None
        except BaseException:  # such as Ctrl-C, or a time limit after which the run goes on: with another one
            process.kill()
            process.wait()
            raise

    def _introduce(self) -> None:
        """Tell it what it is to know before the first load; comes back when it listens."""
        if self._owner is not None:
            self.send({"op": "owner", "pid": self._owner})
        self.send({"op": "path", "path": sys.path})
        self.send({"op": "samples", "path": self._samples})
        if self._limit:
            self.send({"op": "limit", "requests": [{**part.request(), "text": str(part)} for part in self._limit]})
        self._listens.wait(START_WITHIN_S)

    def _spawn(self, errors: IO[bytes]) -> subprocess.Popen[bytes]:
        program = os.path.join(os.path.dirname(os.path.abspath(stressors.__file__)), "__main__.py")
        return ours.Process(
            [sys.executable, "-I", "-S", program],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors,
            env=environment.for_child(),
            # a group of its own, since Ctrl-C in the terminal is for the owner of the loads; but the same session: the
            # kernel shares the CPU out between sessions first (sched(7)), and a load in another hardly slows the test
            process_group=None if sys.platform == "win32" else 0,
        )

    def _listen(self, process: subprocess.Popen[bytes], errors: IO[bytes]) -> None:
        with suppress(OSError):  # a test closed descriptors that are not its own; whoever waits must hear of the end
            self._hear(process)
        self._close_stdin(process)
        status = process.wait()
        reason = f"the supervisor died ({_last_words(errors) or f'exit status {status}'})"
        self._listens.set()
        with self._changing:
            if self._process is process:
                self._process = None
            left = [] if self._process else self.running  # those of the next one are told of by another thread
        for applied in left:
            self._hand_on(applied, applied.gone(reason))
        self._paused({"event": "resumed", "at": monotonic()})  # if loads were paused, they are so no more

    def _hear(self, process: subprocess.Popen[bytes]) -> None:
        assert process.stdout is not None  # noqa: S101 - for the type checker
        with process.stdout:
            for line in process.stdout:
                if not line.endswith(b"\n"):  # it was killed while it wrote
                    break
                reply = json.loads(line)
                self._listens.set()
                if reply["event"] in {"paused", "resumed"}:
                    self.paused_s = reply.get("paused_s", self.paused_s)
                    self._paused(reply)
                    self._resumed.set()
                self._hand_on(self._applied.get(reply.get("id", "")), reply)

    def _close_stdin(self, process: subprocess.Popen[bytes]) -> None:
        assert process.stdin is not None  # noqa: S101 - for the type checker
        with self._lock:
            try:
                process.stdin.close()
            except OSError:
                pass

    def _hand_on(self, applied: Applied | None, reply: dict[str, Any]) -> None:
        if applied is None:
            return
        if reply["event"] != "achieved":
            self._told(applied, reply)  # before anybody who waits goes on: the row is in the file then
        if reply["event"] not in {"achieved", "ready"}:
            self._applied.pop(applied.id, None)
        applied.told(reply)


def _last_words(errors: IO[bytes]) -> str:
    try:
        with errors:
            errors.seek(0)
            return (errors.read().decode(errors="replace").strip().splitlines() or [""])[-1]
    except OSError:
        return ""


@cache
def keywords() -> dict[str, str]:
    """By the type of a load, which its rows have, the keyword that asks for it; of our own stressors."""
    return {kind.type: kind.keyword for kind in stressors.kinds().values()}


@cache
def kinds() -> dict[str, Kind]:
    """The stressors there are, by keyword: ours, and those that other packages offer; looked for once."""
    from importlib import import_module
    from importlib.metadata import entry_points

    found = stressors.kinds()
    for entry in entry_points(group=ENTRY_POINTS):
        kind: Kind = import_module(entry.value).KIND
        found.setdefault(kind.keyword, kind)
    return found
