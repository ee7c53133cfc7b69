"""The constraints that this process is under: their text and their throttled time, for tests and for the sampler."""

from __future__ import annotations

from collections import deque
from contextlib import suppress
from itertools import islice
from typing import TYPE_CHECKING, Any

from pytest_twin._system.clock import monotonic
from pytest_twin._system.stdlib import os
from pytest_twin.model.attempt_row import ConstraintFigures
from pytest_twin.telemetry.throttled_time import read_throttled_s

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pytest_twin.loads.applied import AppliedLoad

STAT, STAT_BEGAN = "stat", "stat_began_s"  # in a reply: the file with its throttled time, and that at its start
MOST_ENDED = 1000  # constraints of which the figures are kept after their end: those of the attempts that still run
SEPARATOR = ", "
NEW_FILE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_CLOEXEC", 0)


class HeldConstraint:
    """One constraint, from when it is enforced until after its end.

    Attributes:
        number: Its number, in the order of their starts.
        text: Its text as written.
    """

    __slots__ = ("_began_s", "_file", "_final_s", "_is_cpu", "_stat", "number", "text")

    def __init__(self, number: int, text: str, stat: str, began_s: float = 0.0, *, is_cpu: bool, file: str) -> None:
        """Keep what is known of it.

        Args:
            number: Its number, in the order of their starts.
            text: Its text as written.
            stat: The file in which its throttled time grows; empty for none.
            began_s: The throttled time there when it started.
            is_cpu: Whether it limits CPU time; another constraint throttles nothing.
            file: The file that tells `began_s` and `stat` to the sampler; it is written here.
        """
        self.number, self.text = number, text
        self._stat, self._began_s, self._is_cpu, self._file = stat, began_s, is_cpu, file
        self._final_s: float | None = None
        if stat and is_cpu:
            _write_new_file(file, f"{began_s!r} {stat}")

    def throttled_s(self) -> float | None:
        """Return the seconds for which it made processes wait so far, in all after its end; None if unknown."""
        if not self._is_cpu:
            return 0.0
        if not self._stat:
            return self._final_s
        now_s = read_throttled_s(self._stat)
        return None if now_s is None else max(0.0, now_s - self._began_s)

    def end(self, figures: Mapping[str, Any]) -> None:
        """Take over its last figures, and remove its file."""
        final = figures.get("throttled_s")
        self._final_s, self._stat = final if isinstance(final, int | float) else None, ""
        with suppress(FileNotFoundError):
            os.unlink(self._file)


class HeldConstraints:
    """The constraints that this process is or was under, in the order of their starts."""

    def __init__(self, directory: str) -> None:
        """Begin without a constraint.

        Args:
            directory: The folder in which the sampler looks for a file of each constraint; it need not exist.
        """
        self._directory = directory
        self._held: dict[str, HeldConstraint] = {}
        self._ended: deque[HeldConstraint] = deque(maxlen=MOST_ENDED)
        self._latest = self._ended_count = 0

    def on_reply(self, applied: AppliedLoad, reply: Mapping[str, Any]) -> None:
        """Take over a reply of the supervisor on a constraint."""
        if reply["event"] == "ready":
            self._latest += 1
            self._held[applied.id] = HeldConstraint(
                self._latest,
                applied.part.text,
                str(reply["achieved"].get(STAT) or ""),
                float(reply["achieved"].get(STAT_BEGAN, 0.0)),
                is_cpu="cpu" in applied.part.options,
                file=f"{self._directory}{os.sep}{os.getpid()}-{self._latest}",
            )
        elif (held := self._held.pop(applied.id, None)) is not None:
            held.end(reply["achieved"])
            self._ended.append(held)
            self._ended_count += 1

    def share_start(self) -> float:
        """Return when the first process of this host called this in the run, by `monotonic`.

        The processes play the constraints of the session's schedule each by itself, but on one timeline.
        """
        now, path = monotonic(), f"{self._directory}{os.sep}schedule-start"
        own = f"{path}-{os.getpid()}"
        try:
            _write_new_file(own, repr(now))
            try:
                os.link(own, path)  # at once with its content
            except FileExistsError:
                with open(path, encoding="ascii") as file:
                    return float(file.read())
            finally:
                os.unlink(own)
        except (OSError, ValueError):  # a file system without links: each process has its own start
            pass
        return now

    def begin_attempt(self) -> ConstraintBorder:
        """Return what is needed to compute the figures of an attempt that begins now."""
        if not self._latest:
            return NO_BORDER
        held = {each.number: each.throttled_s() for each in list(self._held.values())}
        return ConstraintBorder(self._ended_count, held)

    def figures_since(self, border: ConstraintBorder) -> ConstraintFigures:
        """Return the figures of an attempt: the constraints since it began, and for how long they throttled it."""
        if not self._latest:
            return NO_CONSTRAINTS
        ended = islice(reversed(self._ended), self._ended_count - border.ended)
        during = sorted((*ended, *self._held.values()), key=lambda each: each.number)
        if not during:
            return NO_CONSTRAINTS
        pairs = [(each.throttled_s(), border.throttled_s.get(each.number, 0.0)) for each in during]
        known = [max(0.0, end - begin) for end, begin in pairs if end is not None and begin is not None]
        texts = dict.fromkeys(each.text for each in during)
        return ConstraintFigures(SEPARATOR.join(texts), sum(known) if len(known) == len(pairs) else None)


class ConstraintBorder:
    """The constraints at the start of an attempt.

    Attributes:
        ended: How many constraints had ended.
        throttled_s: The throttled seconds of those that were held, by their numbers; None where unknown.
    """

    __slots__ = ("ended", "throttled_s")

    def __init__(self, ended: int, throttled_s: Mapping[int, float | None]) -> None:
        self.ended, self.throttled_s = ended, throttled_s


NO_CONSTRAINTS, NO_BORDER = ConstraintFigures(), ConstraintBorder(0, {})


def _write_new_file(path: str, text: str) -> None:
    try:
        fd = os.open(path, NEW_FILE, 0o600)
    except FileNotFoundError:  # the folder is made with the first file
        with suppress(FileExistsError):
            os.mkdir(os.path.dirname(path), 0o700)
        fd = os.open(path, NEW_FILE, 0o600)
    try:
        os.write(fd, os.fsencode(text))
    finally:
        os.close(fd)
