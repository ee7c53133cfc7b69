"""Reads the probes for each row, each probe at its own interval.

The process that takes a row has slept, and other processes have filled the caches of its CPU since: all memory that it
touches costs some microseconds. So probes that change slowly, or have no values here, are not touched for every row.
"""

from __future__ import annotations

from math import floor

from pytest_twin.model.columns import CellFormatter, order, picker
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

    def round_in(self, values: list[Value]) -> None:
        """Round the amount in a row."""
        amount = values[self.place]
        if amount and not isinstance(amount, str):  # not round(), which prints and parses the number
            values[self.place] = written = floor((amount + self.rest) * self.scale + 0.5) / self.scale
            self.rest = amount + self.rest - written


class ProbeSlot:
    """A probe, and the place of its values.

    Attributes:
        place: The place of its values among those of all probes.
        amounts: Its amounts.
        shares: The places of its shares of the time between two readings, if that is not the time between two rows.
        missing: Its values if it cannot be read.
    """

    __slots__ = (
        "amounts", "columns", "every_s", "missing", "name", "place", "read", "read_last", "shares", "warning",
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
        self.columns = columns
        self.place = slice(first, first + len(columns))
        places = [*enumerate(columns, first)]
        self.amounts = [AmountRounding(at, column.digits) for at, column in places if column.is_amount]
        self.shares = [at for at, column in places if column.window_s and not column.is_amount]
        self.missing = [_clean(None, column) for column in columns]


class ProbeGroup:
    """Probes that are read at the same interval.

    Attributes:
        due: When they are to be read again.
        places: The places of their amounts.
        is_new: Whether the row has amounts that were read for it.
        quiet: Their amounts when nothing was counted: a zero for each, or None.
    """

    __slots__ = ("amounts", "due", "every_s", "is_new", "pick", "places", "quiet", "slots")

    def __init__(self, every_s: float, slots: list[ProbeSlot]) -> None:
        self.every_s, self.slots = every_s, slots
        self.due = float("-inf")
        self.amounts = [amount for slot in slots for amount in slot.amounts]
        self.places = [amount.place for amount in self.amounts]
        self.pick = picker(self.places)
        self.quiet: tuple[Value, ...] = ()
        self.is_new = False


class ProbeRunner:
    """Reads all probes, module after module.

    Attributes:
        columns: The columns in the order of the row.
        warnings: How probes failed, a line each.
    """

    def __init__(
        self, modules: Sequence[Any], context: ProbeContext, external: Container[str] = (), end: str = ""
    ) -> None:
        """Create the probes.

        Args:
            modules: The modules of the probes.
            context: The context for the probes.
            external: Names of modules of other packages, the values of which are checked before they get into a row.
            end: What follows the last cell of a line.
        """
        slots: list[ProbeSlot] = []
        columns: list[Column] = []
        for module in modules:
            slots.append(ProbeSlot(module, context, len(columns), module.__name__ in external))
            columns += slots[-1].columns
        self.warnings = [each.warning for each in slots if each.warning and each.columns]
        self._groups = [
            ProbeGroup(every, [each for each in slots if each.every_s == every and each.columns])
            for every in sorted({each.every_s for each in slots if each.columns})
        ]
        self._values: list[Value] = [None] * len(columns)
        places = order(columns)  # in the row, columns of a probe may be apart
        self.columns = tuple(columns[at] for at in places)
        self._in_order = picker(places)
        self._formatter = CellFormatter(self.columns, end)

    def read(self, at: float) -> list[Value]:
        """Return one value for each of `columns`."""
        self._update(at)
        return [None if value == "" else value for value in self._in_order(self._values)]

    def line(self, at: float) -> str:
        """Return the row."""
        self._update(at)
        return self._formatter.line(self._in_order(self._values))

    def last_line(self, at: float) -> str:
        """Return the last row, for which all probes are read."""
        for group in self._groups:
            values = [*self._values]
            self._read(group, at, is_last=True)
            if at < group.due:
                self._keep_shares(group, values)
        return self._formatter.line(self._in_order(self._values))

    def _update(self, at: float) -> None:
        """Read the probes that are due; the amounts of the others are in an earlier row already."""
        for group in self._groups:
            if at >= group.due:
                group.due = at + group.every_s
                group.is_new = True
                self._read(group, at)
            elif group.is_new:
                group.is_new = False
                for place in group.places:
                    if self._values[place] is not None:
                        self._values[place] = 0.0

    def _read(self, group: ProbeGroup, at: float, is_last: bool = False) -> None:
        """Read these probes; the cells of one that fails are empty, and each kind of failure is a warning once."""
        values = self._values
        for slot in group.slots:
            try:
                values[slot.place] = slot.read_last(at) if is_last else slot.read(at)
            except Exception as error:  # noqa: BLE001 - an error of a probe costs its own cells, not the row
                values[slot.place] = slot.missing
                self._warn(f"{slot.name}: {type(error).__name__}: {error}")
        if group.amounts and (amounts := group.pick(values)) != group.quiet:
            for amount in group.amounts:
                amount.round_in(values)
            if not any(amounts):
                group.quiet = amounts

    def _keep_shares(self, group: ProbeGroup, before: Sequence[Value]) -> None:
        """Put back the shares of these probes: over the short time before the last row they are not reliable."""
        for place in (place for slot in group.slots for place in slot.shares):
            if before[place] is not None:
                self._values[place] = before[place]

    def _warn(self, text: str) -> None:
        if text not in self.warnings and len(self.warnings) < MAX_WARNINGS:
            self.warnings.append(text)


def _cleaned(read: Callable[[float], Sequence[Value]], columns: Sequence[Column]) -> Callable[[float], list[Value]]:
    """Return a function that reads a probe of another package, and checks and cleans its values."""

    def read_cleaned(at: float) -> list[Value]:
        values = read(at)
        if len(values) != len(columns):
            raise ValueError(f"returned {len(values)} values for {len(columns)} columns")
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
