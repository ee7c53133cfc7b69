"""Asks the probes of a row, each as often as it wants to be asked.

A row is taken by a process that slept, on a CPU whose caches others have filled since: whatever it touches costs some
microseconds. So what changes slowly, and what is not there at all, is not touched for every row.
"""

from __future__ import annotations

from pytest_twin.model.columns import CellFormatter
from pytest_twin.telemetry.probes import module_columns

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Container, Sequence
    from typing import Any

    from pytest_twin.model.columns import Value
    from pytest_twin.telemetry.probes import ProbeContext

MOST_WARNINGS = 20


class BrokenProbe:
    """In the place of a probe that could not be made."""

    def __init__(self, error: Exception) -> None:
        self._error = error

    def read(self, at: float) -> Sequence[Value]:  # noqa: ARG002
        """Tell why, each time.

        Raises:
            Exception: What the making of it raised.
        """
        raise self._error


class ProbeSlot:
    """A probe, and where its values stand among all."""

    __slots__ = (
        "_unwritten", "amounts", "cells", "every_s", "is_foreign", "name", "place", "read", "read_last", "shares",
        "told", "warning", "width",
    )  # fmt: skip

    def __init__(self, module: Any, context: ProbeContext, begin: int, is_foreign: bool) -> None:
        try:
            probe = module.probe(context)
        except Exception as error:  # noqa: BLE001 - costs its own cells, as one that cannot be read
            probe = BrokenProbe(error)
        columns = module_columns(module, context)
        self.name: str = module.__name__.rpartition(".")[2]
        self.read: Callable[[float], Sequence[Value]] = probe.read
        self.warning: str = getattr(probe, "warning", "")
        self.read_last: Callable[[float], Sequence[Value]] = getattr(probe, "read_last", probe.read)
        self.every_s: float = getattr(probe, "every_s", 0.0)
        self.width = len(columns)
        self.place = slice(begin, begin + self.width)
        self.cells = CellFormatter(columns)
        self.told: tuple[Value, ...] = ()
        self.amounts = [at for at, column in enumerate(columns) if column.is_amount]
        self.shares = [at for at, column in enumerate(columns) if column.window_s and not column.is_amount]
        self._unwritten = [(at, columns[at].digits, 0.0) for at in self.amounts]  # what rounding took away so far
        self.is_foreign = is_foreign

    def ask(self, at: float, is_last: bool = False) -> tuple[Value, ...]:
        """What it tells now; whatever goes wrong is raised."""
        found = self.read_last(at) if is_last else self.read(at)
        if len(found) != self.width:
            raise ValueError(f"returned {len(found)} values for {self.width} columns")
        cleaned = map(_clean, found) if self.is_foreign else found
        return tuple(self._rounded([*cleaned]) if self.amounts else cleaned)

    def _rounded(self, told: list[Value]) -> list[Value]:
        """The same, amounts as the file has them: what is too little to be written there is told with the next."""
        for which, (at, digits, rest) in enumerate(self._unwritten):
            amount = told[at]
            if amount and not isinstance(amount, str):
                told[at] = written = round(amount + rest, digits)
                self._unwritten[which] = at, digits, amount + rest - written
        return told

    def with_shares_kept(self, told: tuple[Value, ...]) -> tuple[Value, ...]:
        """What it tells now, but for shares, of too short a time to be true: those are as they were, if they were."""
        kept = list(told)
        for at in self.shares if self.told else ():
            kept[at] = told[at] if self.told[at] is None else self.told[at]
        return tuple(kept)

    def rest(self) -> tuple[Value, ...]:
        """What it told, but for what is told once: of that, nothing has come since."""
        told = list(self.told)
        for at in self.amounts:
            told[at] = None if told[at] is None else 0.0
        return tuple(told)


class ProbeGroup:
    """Probes that are asked equally often."""

    __slots__ = ("asked", "due", "every_s", "is_new", "moving")

    def __init__(self, every_s: float, asked: list[ProbeSlot]) -> None:
        self.every_s, self.asked = every_s, asked
        self.due = float("-inf")
        self.moving = [each for each in asked if each.amounts] if every_s else []
        self.is_new = False  # what they told, amounts and all


class ProbeRunner:
    """What all probes tell, module after module.

    Attributes:
        warnings: How probes failed, one line each.
    """

    def __init__(self, found: Sequence[Any], context: ProbeContext, foreign: Container[str] = ()) -> None:
        """Make the probes.

        Args:
            found: Their modules.
            context: What they are told.
            foreign: Names of modules of other packages, whose values are looked at before they get into a row.
        """
        self._asked: list[ProbeSlot] = []
        self._cells: list[str] = []
        for module in found:
            each = ProbeSlot(module, context, len(self._cells), module.__name__ in foreign)
            if each.width:
                self._asked.append(each)
                self._cells += [""] * each.width
        rhythms = sorted({each.every_s for each in self._asked})
        self._rounds = [ProbeGroup(every, [each for each in self._asked if each.every_s == every]) for every in rhythms]
        self.warnings = [each.warning for each in self._asked if each.warning]

    def read(self, at: float) -> list[Value]:
        """One value a column."""
        self.cells(at)
        return [value for each in self._asked for value in each.told]

    def cells(self, at: float, is_last: bool = False) -> list[str]:
        """The same as they stand in the file; the list is the same for every row. For the last one all are asked."""
        for turn in self._rounds:
            if at >= turn.due:
                turn.due = at + turn.every_s
                turn.is_new = True
                self._ask(turn.asked, at, is_last)
            elif is_last:
                self._ask(turn.asked, at, is_last, is_early=True)
            elif turn.is_new:
                turn.is_new = False
                for each in turn.moving:
                    self._tell(each, each.rest())
        return self._cells

    def _ask(self, asked: Sequence[ProbeSlot], at: float, is_last: bool = False, is_early: bool = False) -> None:
        """Ask these; one that fails leaves its cells empty, and is told of once."""
        for each in asked:
            try:
                told = each.ask(at, is_last)
                if is_early:
                    told = each.with_shares_kept(told)
            except Exception as error:  # noqa: BLE001 - whatever a probe raises costs its own cells, not the row
                told = (None,) * each.width
                self._warn(f"{each.name}: {type(error).__name__}: {error}")
            if told != each.told:
                self._tell(each, told)

    def _tell(self, each: ProbeSlot, told: tuple[Value, ...]) -> None:
        each.told = told
        self._cells[each.place] = each.cells.of(told)

    def _warn(self, text: str) -> None:
        if text not in self.warnings and len(self.warnings) < MOST_WARNINGS:
            self.warnings.append(text)


def _clean(value: Any) -> Value:
    """What a cell can hold: a number, or text that does not break the line."""
    if isinstance(value, str):
        return "".join(" " if sign in ',"' or not sign.isprintable() else sign for sign in value)
    return value if isinstance(value, int | float) and value == value else None  # noqa: PLR0124 - NaN
