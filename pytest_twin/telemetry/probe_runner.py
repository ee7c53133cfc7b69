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


class RowPiece:
    """Some columns of a probe that follow each other in the row.

    Attributes:
        place: The place of the piece among those of the row.
        own: The columns among those of the probe.
        formatter: Formats their values.
    """

    __slots__ = ("formatter", "own", "place")

    def __init__(self, place: int, own: slice, columns: Sequence[Column]) -> None:
        self.place, self.own, self.formatter = place, own, CellFormatter(columns)


class ProbeSlot:
    """A probe, its last values, and its pieces of the row."""

    __slots__ = (
        "_remainders", "amounts", "columns", "every_s", "is_external", "name", "pieces", "read", "read_last", "shares",
        "values", "warning", "width",
    )  # fmt: skip

    def __init__(self, module: Any, context: ProbeContext, is_external: bool) -> None:
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
        self.columns, self.width = columns, len(columns)
        self.pieces: list[RowPiece] = []
        self.values: tuple[Value, ...] = ()
        self.amounts = [at for at, column in enumerate(columns) if column.is_amount]
        self.shares = [at for at, column in enumerate(columns) if column.window_s and not column.is_amount]
        # what rounding has lost so far; not round(), which prints and parses the number
        self._remainders = [(at, 10.0 ** (columns[at].digits or 0), 0.0) for at in self.amounts]
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
        for which, (at, scale, rest) in enumerate(self._remainders):
            amount = values[at]
            if amount and not isinstance(amount, str):
                values[at] = written = floor((amount + rest) * scale + 0.5) / scale
                self._remainders[which] = at, scale, amount + rest - written
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
        slots = [ProbeSlot(module, context, module.__name__ in external) for module in modules]
        self._slots = [each for each in slots if each.width]
        self._arrange()
        intervals = sorted({each.every_s for each in self._slots})
        self._groups = [
            ProbeGroup(every, [each for each in self._slots if each.every_s == every]) for every in intervals
        ]
        self.warnings = [each.warning for each in self._slots if each.warning]

    def _arrange(self) -> None:
        """Divide the row into pieces: in the order of the file, the columns of a probe may be apart."""
        found = [(slot, at) for slot in self._slots for at in range(slot.width)]
        ordered = [found[at] for at in order([slot.columns[at] for slot, at in found])]
        self.columns = tuple(slot.columns[at] for slot, at in ordered)
        runs: list[tuple[ProbeSlot, int, int]] = []
        for slot, at in ordered:
            if runs and runs[-1][0] is slot and runs[-1][2] == at:
                runs[-1] = slot, runs[-1][1], at + 1
            else:
                runs.append((slot, at, at + 1))
        for place, (slot, first, end) in enumerate(runs):
            slot.pieces.append(RowPiece(place, slice(first, end), slot.columns[first:end]))
        self._pieces = [""] * len(runs)

    def read(self, at: float) -> list[Value]:
        """Return one value for each of `columns`."""
        self.line(at)
        pieces = sorted((piece.place, slot.values[piece.own]) for slot in self._slots for piece in slot.pieces)
        return [value for _, values in pieces for value in values]

    def line(self, at: float, is_last: bool = False) -> str:
        """Return the row without the end of the line; for the last row all probes are read."""
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
        return ",".join(self._pieces)

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
        for piece in each.pieces:
            self._pieces[piece.place] = piece.formatter.line(values[piece.own])

    def _warn(self, text: str) -> None:
        if text not in self.warnings and len(self.warnings) < MAX_WARNINGS:
            self.warnings.append(text)


def _clean(value: Any) -> Value:
    """Return a value that a cell can hold: a number, or text that does not break the line; None for anything else."""
    if isinstance(value, str):
        return "".join(" " if sign in ',"' or not sign.isprintable() else sign for sign in value)
    return value if isinstance(value, int | float) and value == value else None  # noqa: PLR0124 - NaN
