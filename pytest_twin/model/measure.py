"""The measures that runs are compared by, and limits on their growth: ``cpu_seconds>10%``, ``peak_memory>50MiB``."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import NamedTuple

from pytest_twin.model.quantity import parse_duration, parse_size

MIB = 1 << 20
LARGEST_SHARE = 1e6

_LIMIT = re.compile(r"(\w+)\s*>\s*(.+)", re.ASCII)
_SHARE = re.compile(r"(\d{1,7}(?:\.\d{1,9})?)\s*%", re.ASCII)


class LimitError(ValueError):
    """A limit cannot be read; the message, one line, is for the user.

    Attributes:
        text: The limit as it was written.
        problem: What is wrong with it: a predicate that follows the text in the message.
    """

    def __init__(self, text: str, problem: str) -> None:
        super().__init__(f"{text!r:.100} {problem}")
        self.text, self.problem = text, problem


class Measure(NamedTuple):
    """One measure by which runs are compared.

    Attributes:
        name: As people write it.
        unit: Of its values, ``s`` or ``MiB``.
        floor: The difference below which nothing is called more or less: what clocks, ticks and allocators make of
            tests that are the same.
        columns: The columns of tests.csv whose sum it is.
        whole: What tests come to together: ``sum`` or ``max``.
        meaning: A few words.
        is_usual: Whether it is compared where nobody asks for it.
        basis: On what it is compared where that is not the usual one; empty where it is.
    """

    name: str
    unit: str
    floor: float
    columns: tuple[str, ...]
    whole: str
    meaning: str
    is_usual: bool = True
    basis: str = ""

    def __str__(self) -> str:
        return f"{self.name} ({self.basis})" if self.basis else self.name


MEASURES = {
    each.name: each
    for each in (
        Measure(
            "cpu_seconds", "s", 0.005, ("cpu_user_s", "cpu_system_s", "children_cpu_s"), "sum",
            "CPU time of the test process and its children, in user and kernel mode",
        ),
        Measure("duration", "s", 0.02, ("call_s",), "sum", "wall time of the test body, without set-up and teardown"),
        Measure(
            "peak_memory", "MiB", 2.0, ("memory_growth_MB",), "max",
            "peak resident memory of the test process minus its resident memory at the start of the test",
        ),
        Measure(
            "peak_resident", "MiB", 1.0, ("peak_memory_MB",), "max",
            "peak resident memory of the test process, including memory left behind by earlier tests", is_usual=False,
        ),
        Measure("read", "MiB", 1.0, ("read_MB",), "sum", "data read from disks"),
        Measure("written", "MiB", 1.0, ("written_MB",), "sum", "data written to disks"),
    )
}  # fmt: skip


# what runs have that do not tell the growth
ABSOLUTE_PEAK = MEASURES["peak_memory"]._replace(columns=MEASURES["peak_resident"].columns, floor=1.0, basis="absolute")


class ChangeLimit(NamedTuple):
    """The most by which a measure may grow.

    Attributes:
        measure: The measure.
        more: As a share of the earlier value (0.1 is 10 % more), or in the measure's unit.
        is_share: Whether `more` is a share.
    """

    measure: Measure
    more: float
    is_share: bool

    def bound(self, before: float) -> float:
        """Return the highest value allowed after an earlier value."""
        return before * (1 + self.more) if self.is_share else before + self.more

    def __str__(self) -> str:
        amount = f"{100 * self.more:g}%" if self.is_share else f"{self.more:g}{self.measure.unit}"
        return f"{self.measure.name}>{amount}"


def parse_limits(texts: Iterable[str]) -> tuple[ChangeLimit, ...]:
    """Parse limits; one text may contain several, separated by commas.

    Raises:
        LimitError: One cannot be read.
    """
    return tuple(parse_limit(part) for text in texts for part in text.split(","))


def parse_limit(text: str) -> ChangeLimit:
    """Parse one limit.

    Raises:
        LimitError: It cannot be read.
    """
    text = text.strip()
    match = _LIMIT.fullmatch(text)
    if match is None:
        raise LimitError(text, "is not a limit such as cpu_seconds>10% or peak_memory>50MiB")
    name, amount = match.groups()
    measure = MEASURES.get(name)
    if measure is None:
        raise LimitError(text, f"names the unknown measure {name}; known are {', '.join(MEASURES)}")
    if share := _SHARE.fullmatch(amount):
        if float(share[1]) > LARGEST_SHARE:
            raise LimitError(text, f"has {amount}, which is over {LARGEST_SHARE:.0f}%")
        return ChangeLimit(measure, float(share[1]) / 100, is_share=True)
    try:
        return ChangeLimit(measure, _amount(amount, measure), is_share=False)
    except ValueError:
        example = "0.5s" if measure.unit == "s" else "50MiB"
        raise LimitError(text, f"has no share such as 10%, nor an amount such as {example}") from None


def _amount(text: str, measure: Measure) -> float:
    if not text[-1].isalpha():
        raise ValueError("a number without a unit is ambiguous")
    return parse_duration(text) if measure.unit == "s" else parse_size(text) / MIB
