"""Asks the probes of a row, each as often as it wants to be asked.

A row is taken by a process that slept, on a CPU whose caches others have filled since: whatever it touches costs some
microseconds. So what changes slowly, and what is not there at all, is not touched for every row.
"""

from __future__ import annotations

from pytest_twin.probes import columns_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Container, Sequence
    from typing import Any

    from pytest_twin.model.columns import Value
    from pytest_twin.probes import Context

MOST_WARNINGS = 20


class Broken:
    """In the place of a probe that could not be made."""

    def __init__(self, error: Exception) -> None:
        self._error = error

    def read(self, at: float) -> Sequence[Value]:  # noqa: ARG002
        """Tell why, each time.

        Raises:
            Exception: What the making of it raised.
        """
        raise self._error


class Asked:
    """A probe, and where its values stand among all."""

    __slots__ = ("due", "every_s", "is_foreign", "name", "place", "read", "width")

    def __init__(self, module: Any, context: Context, begin: int, is_foreign: bool) -> None:
        try:
            probe = module.probe(context)
        except Exception as error:  # noqa: BLE001 - costs its own cells, as one that cannot be read
            probe = Broken(error)
        self.name: str = module.__name__.rpartition(".")[2]
        self.read: Callable[[float], Sequence[Value]] = probe.read
        self.every_s: float = getattr(probe, "every_s", 0.0)
        self.due = float("-inf")
        self.width = len(columns_of(module, context))
        self.place = slice(begin, begin + self.width)
        self.is_foreign = is_foreign


class Values:
    """What all probes tell, module after module.

    Attributes:
        warnings: How probes failed, one line each.
    """

    def __init__(self, found: Sequence[Any], context: Context, foreign: Container[str] = ()) -> None:
        """Make the probes.

        Args:
            found: Their modules.
            context: What they are told.
            foreign: Names of modules of other packages, whose values are looked at before they get into a row.
        """
        self._values: list[Value] = []
        asked = []
        for module in found:
            asked.append(Asked(module, context, len(self._values), module.__name__ in foreign))
            self._values += [None] * asked[-1].width
        self._always = [each for each in asked if not each.every_s]
        self._seldom = [each for each in asked if each.every_s]
        self._due = float("-inf")
        self.warnings: list[str] = []

    def read(self, at: float) -> list[Value]:
        """One value a column; the list is the same for every row."""
        self._ask(self._always, at)
        if at >= self._due:
            due = [each for each in self._seldom if at >= each.due]
            for each in due:
                each.due = at + each.every_s
            self._due = min((each.due for each in self._seldom), default=float("inf"))
            self._ask(due, at)
        return self._values

    def _ask(self, asked: Sequence[Asked], at: float) -> None:
        """Ask these; one that fails leaves its cells empty, and is told of once."""
        for each in asked:
            try:
                found = each.read(at)
                if len(found) != each.width:
                    raise ValueError(f"gave {len(found)} values for {each.width} columns")  # noqa: TRY301 - as any other
                self._values[each.place] = map(_clean, found) if each.is_foreign else found
            except Exception as error:  # noqa: BLE001 - whatever a probe raises costs its own cells, not the row
                self._values[each.place] = [None] * each.width
                self._warn(f"{each.name}: {type(error).__name__}: {error}")

    def _warn(self, text: str) -> None:
        if text not in self.warnings and len(self.warnings) < MOST_WARNINGS:
            self.warnings.append(text)


def _clean(value: Any) -> Value:
    """What a cell can hold: a number, or text that does not break the line."""
    if isinstance(value, str):
        return "".join(" " if sign in ',"' or not sign.isprintable() else sign for sign in value)
    return value if isinstance(value, int | float) and value == value else None  # noqa: PLR0124 - NaN
