"""Reads the probes for each row, each probe at its own interval.

The process that takes a row has slept, and other processes have filled the caches of its CPU since: all memory that it
touches costs some microseconds. So probes that change slowly, or have no values here, are not touched for every row.
"""

from __future__ import annotations

from math import floor

from pytest_twin.model.columns import CellFormatter, order
from pytest_twin.telemetry.probes import module_columns

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Container, Sequence
    from typing import Any

    from pytest_twin.model.columns import Column, Value
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


class AmountRounding:
    """Rounds an amount to the digits of the file, and carries the remainder over to the next row.

    Attributes:
        place: Its place in the row.
        scale: The number of units of its last digit in one.
        rest: What rounding has lost so far.
    """

    __slots__ = ("place", "rest", "scale")

    def __init__(self, place: int, digits: int | None) -> None:
        self.place, self.scale, self.rest = place, 10.0 ** (digits or 0), 0.0


class ProbeSlot:
    """A probe, and the place of its values.

    Attributes:
        place: The place of its values among those of all probes.
        amounts: Its amounts.
        shares: The places of its shares of the time between two readings, if that is not the time between two rows.
        missing: Its values if it cannot be read.
    """

    __slots__ = (
        "amounts", "columns", "every_s", "missing", "name", "place", "read", "read_last", "shares", "warning", "width",
    )  # fmt: skip

    def __init__(self, module: Any, context: ProbeContext, first: int, is_external: bool) -> None:
        try:
            probe = module.probe(context)
        except Exception as error:  # noqa: BLE001 - its cells stay empty, as those of a probe that cannot be read
            probe = BrokenProbe(error)
        columns = module_columns(module, context)
        self.name: str = module.__name__.rpartition(".")[2]
        self.read: Callable[[float], Sequence[Value]] = probe.read
        self.read_last: Callable[[float], Sequence[Value]] = getattr(probe, "read_last", probe.read)
        if is_external:
            self.read, self.read_last = _cleaned(self.read, columns), _cleaned(self.read_last, columns)
        self.warning: str = getattr(probe, "warning", "")
        self.every_s: float = getattr(probe, "every_s", 0.0)
        self.columns, self.width = columns, len(columns)
        self.place = slice(first, first + self.width)
        places = [*enumerate(columns, first)]
        self.amounts = [AmountRounding(at, column.digits) for at, column in places if column.is_amount]
        self.shares = [at for at, column in places if column.window_s and not column.is_amount]
        self.missing = [_clean(None, column) for column in columns]


class ProbeGroup:
    """Probes that are read at the same interval."""

    __slots__ = ("amounts", "due", "every_s", "is_new", "slots")

    def __init__(self, every_s: float, slots: list[ProbeSlot]) -> None:
        self.every_s, self.slots = every_s, slots
        self.due = float("-inf")
        self.amounts = [amount.place for slot in slots for amount in slot.amounts] if every_s else []
        self.is_new = False  # whether their last values, with amounts, are in the row


class ProbeRunner:
    """Reads all probes, module after module.

    Attributes:
        columns: The columns in the order of the row.
        warnings: How probes failed, a line each.
    """

    def __init__(self, modules: Sequence[Any], context: ProbeContext, external: Container[str] = ()) -> None:
        """Create the probes.

        Args:
            modules: The modules of the probes.
            context: The context for the probes.
            external: Names of modules of other packages, the values of which are checked before they get into a row.
        """
        slots: list[ProbeSlot] = []
        columns: list[Column] = []
        for module in modules:
            slots.append(ProbeSlot(module, context, len(columns), module.__name__ in external))
            columns += slots[-1].columns
        self.warnings = [each.warning for each in slots if each.warning and each.width]
        self._groups = [
            ProbeGroup(every, [each for each in slots if each.every_s == every and each.width])
            for every in sorted({each.every_s for each in slots})
        ]
        self._values: list[Value] = [None] * len(columns)
        self._order = order(columns)  # in the row, columns of a probe may be apart
        self.columns = tuple(columns[at] for at in self._order)
        self._formatter = CellFormatter(self.columns)

    def read(self, at: float) -> list[Value]:
        """Return one value for each of `columns`."""
        self._update(at)
        return [None if self._values[at] == "" else self._values[at] for at in self._order]

    def line(self, at: float, is_last: bool = False) -> str:
        """Return the row without the end of the line; for the last row all probes are read."""
        self._update(at, is_last)
        return self._formatter.line(tuple(map(self._values.__getitem__, self._order)))

    def _update(self, at: float, is_last: bool = False) -> None:
        """Read the probes that are due; the amounts of the others are in an earlier row already."""
        for group in self._groups:
            if at >= group.due:
                group.due = at + group.every_s
                group.is_new = True
                self._read_slots(group.slots, at, is_last)
            elif is_last:
                self._read_early(group.slots, at)
            elif group.is_new:
                group.is_new = False
                for place in group.amounts:
                    if self._values[place] is not None:
                        self._values[place] = 0.0

    def _read_early(self, slots: Sequence[ProbeSlot], at: float) -> None:
        """Read these probes for the last row, without their shares: over a short time they are not reliable."""
        values = self._values
        shares = [(place, values[place]) for slot in slots for place in slot.shares if values[place] is not None]
        self._read_slots(slots, at, is_last=True)
        for place, share in shares:
            values[place] = share

    def _read_slots(self, slots: Sequence[ProbeSlot], at: float, is_last: bool) -> None:
        """Read these probes; the cells of one that fails are empty, and each kind of failure is a warning once."""
        values = self._values
        for slot in slots:
            try:
                found = slot.read_last(at) if is_last else slot.read(at)
                if len(found) != slot.width:
                    raise ValueError(f"returned {len(found)} values for {slot.width} columns")  # noqa: TRY301
                values[slot.place] = found
                for each in slot.amounts:
                    amount = values[each.place]
                    if amount and not isinstance(amount, str):  # not round(), which prints and parses the number
                        values[each.place] = written = floor((amount + each.rest) * each.scale + 0.5) / each.scale
                        each.rest = amount + each.rest - written
            except Exception as error:  # noqa: BLE001 - an error of a probe costs its own cells, not the row
                values[slot.place] = slot.missing
                self._warn(f"{slot.name}: {type(error).__name__}: {error}")

    def _warn(self, text: str) -> None:
        if text not in self.warnings and len(self.warnings) < MAX_WARNINGS:
            self.warnings.append(text)


def _cleaned(read: Callable[[float], Sequence[Value]], columns: Sequence[Column]) -> Callable[[float], list[Value]]:
    """Return a function that reads a probe of another package and cleans its values."""

    def read_cleaned(at: float) -> list[Value]:
        values = read(at)
        if len(values) != len(columns):
            return [*values]  # which is reported
        return [_clean(value, column) for value, column in zip(values, columns, strict=True)]

    return read_cleaned


def _clean(value: Any, column: Column) -> Value:
    """Return a value that a cell can hold: a number, or text that does not break the line.

    For anything else it is None, and in a column of text the empty text: the format of the row depends on None.
    """
    if isinstance(value, str):
        return "".join(" " if sign in ',"' or not sign.isprintable() else sign for sign in value)
    if isinstance(value, int | float) and value == value:  # noqa: PLR0124 - NaN
        return value
    return "" if column.digits is None else None
