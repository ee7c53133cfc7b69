"""Reads the probes for each row, each probe at its own interval.

The process that takes a row has slept, and other processes have filled the caches of its CPU since: all memory that it
touches costs some microseconds. So probes that change slowly, or have no values here, are not touched for every row.
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

MAX_WARNINGS = 20


class BrokenProbe:
    """Stands in for a probe that could not be created."""

    def __init__(self, error: Exception) -> None:
        self._error = error

    def read(self, at: float) -> Sequence[Value]:  # noqa: ARG002
        """Raise the error of the creation, at each reading.

        Raises:
            Exception: The error.
        """
        raise self._error


class ProbeSlot:
    """A probe, its last values, and the place of its cells in the row."""

    __slots__ = (
        "_remainders", "amounts", "every_s", "formatter", "is_external", "name", "place", "read", "read_last", "shares",
        "values", "warning", "width",
    )  # fmt: skip

    def __init__(self, module: Any, context: ProbeContext, begin: int, is_external: bool) -> None:
        try:
            probe = module.probe(context)
        except Exception as error:  # noqa: BLE001 - its cells stay empty, as those of a probe that cannot be read
            probe = BrokenProbe(error)
        columns = module_columns(module, context)
        self.name: str = module.__name__.rpartition(".")[2]
        self.read: Callable[[float], Sequence[Value]] = probe.read
        self.warning: str = getattr(probe, "warning", "")
        self.read_last: Callable[[float], Sequence[Value]] = getattr(probe, "read_last", probe.read)
        self.every_s: float = getattr(probe, "every_s", 0.0)
        self.width = len(columns)
        self.place = slice(begin, begin + self.width)
        self.formatter = CellFormatter(columns)
        self.values: tuple[Value, ...] = ()
        self.amounts = [at for at, column in enumerate(columns) if column.is_amount]
        self.shares = [at for at, column in enumerate(columns) if column.window_s and not column.is_amount]
        self._remainders = [(at, columns[at].digits, 0.0) for at in self.amounts]  # lost by rounding so far
        self.is_external = is_external

    def read_now(self, at: float, is_last: bool = False) -> tuple[Value, ...]:
        """Return the current values, rounded.

        Raises:
            Exception: The probe failed.
        """
        values = self.read_last(at) if is_last else self.read(at)
        if len(values) != self.width:
            raise ValueError(f"returned {len(values)} values for {self.width} columns")
        cleaned = map(_clean, values) if self.is_external else values
        return tuple(self._rounded([*cleaned]) if self.amounts else cleaned)

    def _rounded(self, values: list[Value]) -> list[Value]:
        """Round amounts to the digits of the file, and carry the remainders over to the next row."""
        for which, (at, digits, rest) in enumerate(self._remainders):
            amount = values[at]
            if amount and not isinstance(amount, str):
                values[at] = written = round(amount + rest, digits)
                self._remainders[which] = at, digits, amount + rest - written
        return values

    def with_last_shares(self, values: tuple[Value, ...]) -> tuple[Value, ...]:
        """Return values that were read early, with the last shares: over a short time shares are not reliable."""
        kept = list(values)
        for at in self.shares if self.values else ():
            kept[at] = values[at] if self.values[at] is None else self.values[at]
        return tuple(kept)

    def without_amounts(self) -> tuple[Value, ...]:
        """Return the last values with 0 for amounts, which are in an earlier row already."""
        values = list(self.values)
        for at in self.amounts:
            values[at] = None if values[at] is None else 0.0
        return tuple(values)


class ProbeGroup:
    """Probes that are read at the same interval."""

    __slots__ = ("due", "every_s", "is_new", "slots", "with_amounts")

    def __init__(self, every_s: float, slots: list[ProbeSlot]) -> None:
        self.every_s, self.slots = every_s, slots
        self.due = float("-inf")
        self.with_amounts = [slot for slot in slots if slot.amounts] if every_s else []
        self.is_new = False  # whether their last values, with amounts, are in the row


class ProbeRunner:
    """Reads all probes, module after module.

    Attributes:
        warnings: How probes failed, a line each.
    """

    def __init__(self, modules: Sequence[Any], context: ProbeContext, external: Container[str] = ()) -> None:
        """Create the probes.

        Args:
            modules: The modules of the probes.
            context: The context for the probes.
            external: Names of modules of other packages, the values of which are checked before they get into a row.
        """
        self._slots: list[ProbeSlot] = []
        self._cells: list[str] = []
        for module in modules:
            each = ProbeSlot(module, context, len(self._cells), module.__name__ in external)
            if each.width:
                self._slots.append(each)
                self._cells += [""] * each.width
        intervals = sorted({each.every_s for each in self._slots})
        self._groups = [
            ProbeGroup(every, [each for each in self._slots if each.every_s == every]) for every in intervals
        ]
        self.warnings = [each.warning for each in self._slots if each.warning]

    def read(self, at: float) -> list[Value]:
        """Return one value for each column."""
        self.cells(at)
        return [value for each in self._slots for value in each.values]

    def cells(self, at: float, is_last: bool = False) -> list[str]:
        """Return the cells of the row, in the same list for every row; for the last row all probes are read."""
        for group in self._groups:
            if at >= group.due:
                group.due = at + group.every_s
                group.is_new = True
                self._read_slots(group.slots, at, is_last)
            elif is_last:
                self._read_slots(group.slots, at, is_last, is_early=True)
            elif group.is_new:
                group.is_new = False
                for each in group.with_amounts:
                    self._update(each, each.without_amounts())
        return self._cells

    def _read_slots(self, slots: Sequence[ProbeSlot], at: float, is_last: bool = False, is_early: bool = False) -> None:
        """Read these probes; the cells of one that fails are empty, and each kind of failure is a warning once."""
        for each in slots:
            try:
                values = each.read_now(at, is_last)
                if is_early:
                    values = each.with_last_shares(values)
            except Exception as error:  # noqa: BLE001 - an error of a probe costs its own cells, not the row
                values = (None,) * each.width
                self._warn(f"{each.name}: {type(error).__name__}: {error}")
            if values != each.values:
                self._update(each, values)

    def _update(self, each: ProbeSlot, values: tuple[Value, ...]) -> None:
        each.values = values
        self._cells[each.place] = each.formatter.of(values)

    def _warn(self, text: str) -> None:
        if text not in self.warnings and len(self.warnings) < MAX_WARNINGS:
            self.warnings.append(text)


def _clean(value: Any) -> Value:
    """Return a value that a cell can hold: a number, or text that does not break the line; None for anything else."""
    if isinstance(value, str):
        return "".join(" " if sign in ',"' or not sign.isprintable() else sign for sign in value)
    return value if isinstance(value, int | float) and value == value else None  # noqa: PLR0124 - NaN
