"""The requested and the achieved amount of a load or a constraint as numbers of one unit."""

from __future__ import annotations

import math
from functools import lru_cache
from typing import NamedTuple

from pytest_twin.loads.parser import parse_amount
from pytest_twin.loads.registry import kinds_by_type
from pytest_twin.model import quantity
from pytest_twin.model.quantity import Amount
from pytest_twin.stressors.constraint import TYPE as CONSTRAINT
from pytest_twin.stressors.spec.kind import BYTES, COUNT, MAX, OPS, RATE, SHARE

CPUS, NOTHING = "CPUs", Amount(math.nan, MAX)
# each unit for people, and how many of it one is
UNITS = {
    SHARE: ("%", 100.0), BYTES: ("MiB", 2.0**-20), RATE: ("MB/s", 1e-6), OPS: ("ops/s", 1.0), COUNT: ("", 1.0),
    MAX: ("", math.nan),
}  # fmt: skip


class AmountNumbers(NamedTuple):
    """What was requested and achieved.

    Attributes:
        asked: The requested amount; NaN where it is not a number of the unit, as of ``max`` and of a load that changes.
        achieved: The achieved amount; NaN where it is not known.
        unit: ``%``, ``CPUs``, ``MiB``, ``MB/s`` or ``ops/s``; empty for a number of things, or if it is not known.
    """

    asked: float
    achieved: float
    unit: str


@lru_cache(maxsize=4096)
def amount_numbers(kind: str, target: str, achieved: str) -> AmountNumbers:
    """Return the amounts in a row of annotations.csv as numbers.

    Of a constraint with several limits they are those of the CPUs, or of the memory if the CPUs are not limited.

    Args:
        kind: The type of the load.
        target: The requested amount as it is written.
        achieved: The achieved amount as it is written.
    """
    if kind == CONSTRAINT:
        return _constraint_numbers(target, achieved)
    asked, reached = _requested(kind, target), read_amount(achieved)
    unit = reached.unit if asked.unit == MAX else asked.unit
    name, factor = UNITS[unit]
    if unit == COUNT and kind == "cpu":
        name = CPUS
    return AmountNumbers(_number(asked, unit, factor), _number(reached, unit, factor), name)


def _constraint_numbers(target: str, achieved: str) -> AmountNumbers:
    limits = {name: read_amount(value) for name, _, value in (word.partition("=") for word in target.split())}
    used = {text.rpartition(" ")[2] == CPUS: read_amount(text) for text in achieved.split(", ")}
    cpus = [limits[name] for name in ("cpu", "cpus") if name in limits]
    of_cpus = bool(cpus) or "mem" not in limits
    asked = min(cpus, key=lambda limit: limit.value, default=NOTHING) if of_cpus else limits["mem"]
    unit, (name, factor) = (COUNT, (CPUS, 1.0)) if of_cpus else (BYTES, UNITS[BYTES])
    if not of_cpus and asked.unit == COUNT:  # a bare number is MiB
        asked = Amount(asked.value / factor, BYTES)
    return AmountNumbers(_number(asked, unit, factor), _number(used.get(of_cpus, NOTHING), unit, factor), name)


def _number(amount: Amount, unit: str, factor: float) -> float:
    return amount.value * factor if amount.unit == unit else math.nan


def _requested(kind: str, text: str) -> Amount:
    found = kinds_by_type().get(kind)
    if found is None:
        return read_amount(text)
    try:
        return parse_amount(found, text)
    except ValueError:
        return NOTHING


def read_amount(text: str) -> Amount:
    """Return an amount as it is achieved: a share may be above 100 %; a remark behind it and ``CPUs`` are left out."""
    text = text.partition(" (")[0].removesuffix(" cores").removesuffix(f" {CPUS}")
    try:
        return Amount(float(text[:-1]) / 100, SHARE) if text.endswith("%") else quantity.parse_amount(text)
    except ValueError:
        return NOTHING
