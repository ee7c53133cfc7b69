"""Parse constraints, which give the tests less machine: ``cpu=0.5 cpus=1 mem=512MiB``."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from pytest_twin.loads.registry import kinds
from pytest_twin.loads.spec import LoadError, LoadPart
from pytest_twin.model.error_text import shown, truncated, unknown
from pytest_twin.model.load_words import split_words
from pytest_twin.model.quantity import format_bytes, parse_amount, parse_duration
from pytest_twin.stressors.constraint.enforcer import KIND
from pytest_twin.stressors.spec.kind import BYTES, COUNT, MAX, RATE, SHARE
from pytest_twin.stressors.system import capacity

LEAST_CPU = 0.01  # CPUs: the kernel takes no quota of less than 1 ms in 100 ms
PERIODS_S = 0.001, 1.0  # the kernel takes no others
MIB = 1 << 20
LEAST_MEMORY = 16 * MIB  # an interpreter needs as much


class ConstraintError(LoadError):
    """A constraint is invalid; `problems` has each error as a pair of keyword (or empty) and message."""


def parse_constraint(raw: object) -> LoadPart:
    """Parse a constraint from keywords, or from text such as ``cpu=0.5 mem=2GiB``.

    Raises:
        ConstraintError: With all problems.
    """
    words = _words(raw)
    problems: list[tuple[str, str]] = []
    options: dict[str, Any] = {}
    for name, value in words.items():
        if name not in KEYWORDS:
            problems.append(("", _unknown(name, value)))
            continue
        try:
            options[name] = KEYWORDS[name](value)
        except ValueError as error:
            problems.append((name, str(error)))
    if "period" in words and "cpu" not in words:
        problems.append(("period", "needs cpu=, the CPU time that may be used in each period"))
    if not words and not problems:
        problems.append(("", f"constrains nothing; give {KIND.amounts}"))
    if problems:
        raise ConstraintError(problems)
    text = " ".join(f"{name}={value}" for name, value in words.items())
    return LoadPart(KIND, text, MAX, ((0.0, 1.0),), options)


def _unknown(name: str, value: object) -> str:
    if name in kinds():
        written = f"--twin-stress {name}={truncated(str(value))} or the mark stress"
        return f'"{name}" is a keyword of loads, not of constraints; use {written}'
    return unknown(name, KEYWORDS, "keyword")


def excess(part: LoadPart) -> Iterator[tuple[str, str]]:
    """Yield each keyword of a constraint with more than this machine has, which takes nothing away, and a remark."""
    cpus, memory = capacity.allowed_cpus(), capacity.usable_memory()
    for name in ("cpu", "cpus"):
        count, least = part.options.get(name, 0), LEAST_CPU if name == "cpu" else 1
        if count > cpus:
            yield name, f"{count:g} is more than the {cpus} CPUs that may be used here; give {least:g} to {cpus}"
    count = part.options.get("mem", 0)
    if memory is not None and count > memory:
        most, least_memory = format_bytes(memory), format_bytes(LEAST_MEMORY)
        yield "mem", f"{format_bytes(count)} is more than the memory of {most} here; give {least_memory} to {most}"


def _words(raw: object) -> dict[str, Any]:
    if isinstance(raw, Mapping):
        return dict(raw)
    what = f"constraint; write one such as {KIND.amounts}"
    if not isinstance(raw, str):
        raise ConstraintError([("", f"{shown(raw)} is not a {what}")])
    try:
        return dict(split_words(raw, what))
    except ValueError as error:
        raise ConstraintError([("", f"{shown(raw)} {error}")]) from None


def _cpu(raw: object) -> float:
    suitable = 'a number of CPUs such as 0.5, or a share such as "25%"'
    amount = parse_amount(raw, suitable)
    if amount.unit not in {COUNT, SHARE}:
        raise ValueError(f"{shown(raw)} is not CPU time; give {suitable}")
    cpus = amount.value * capacity.usable_cpus() if amount.unit == SHARE else amount.value
    if cpus < LEAST_CPU:
        raise ValueError(f"{shown(raw)} is less than {LEAST_CPU} CPUs")
    return cpus


def _period(raw: object) -> float:
    seconds = parse_duration(raw)
    least, most = PERIODS_S
    if not least <= seconds <= most:
        raise ValueError(f"{shown(raw)} is not from 1ms to 1s")
    return seconds


def _cpus(raw: object) -> int:
    amount = parse_amount(raw, "a whole number of CPUs such as 1")
    if amount.unit != COUNT or amount.value != int(amount.value) or amount.value < 1:
        raise ValueError(f"{shown(raw)} is not a whole number of CPUs from 1")
    return int(amount.value)


def _memory(raw: object) -> int:
    amount = parse_amount(raw, 'memory such as "512MiB" or "25%"')
    if amount.unit not in {COUNT, SHARE, BYTES}:
        raise ValueError(f'{shown(raw)} is not an amount of memory; give one such as "512MiB" or "25%"')
    if amount.unit == SHARE:
        usable = capacity.usable_memory()
        if usable is None:
            raise ValueError("a share of the memory cannot be had: the memory of this machine is not known")
        count = amount.value * usable
    else:
        count = amount.value * (MIB if amount.unit == COUNT else 1)
    if count < LEAST_MEMORY:
        raise ValueError(f"{shown(raw)} is less than {format_bytes(LEAST_MEMORY)}")
    return int(count)


def _io(raw: object) -> float:
    amount = parse_amount(raw, 'a rate such as "20MB/s"')
    if amount.unit != RATE or amount.value <= 0:
        raise ValueError(f'{shown(raw)} is not a rate; give one such as "20MB/s"')
    return amount.value


KEYWORDS: Mapping[str, Callable[[object], Any]] = {
    "cpu": _cpu, "period": _period, "cpus": _cpus, "mem": _memory, "io": _io,
}  # fmt: skip
