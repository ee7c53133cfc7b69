"""The constraint that gives tests as much of this machine as they had of another one."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from pytest_twin.loads.constraint import LEAST_CPU, LEAST_MEMORY, MIB, ConstraintError, parse_constraint
from pytest_twin.loads.twin.machine import Machine
from pytest_twin.model.machine_speed import speed_ratio
from pytest_twin.model.quantity import format_bytes, format_share
from pytest_twin.settings.options import LIKE_SCALES

BY_SHARE, BY_CORES, BY_SPEED = LIKE_SCALES
NEARLY = 0.99  # of the memory of a machine, which fingerprints have rounded
SHORT_PERIOD = "5ms"  # in which a slower CPU is imitated: far shorter than what a test waits for


class TwinError(ValueError):
    """A recording cannot be reproduced here; the message is for the user."""


class MachineLimits(NamedTuple):
    """What tests may use of this machine.

    Attributes:
        constraint: The constraint as text, such as ``cpu=1 mem=2048MiB``; empty for none.
        remarks: How it differs from what they had there, a line each.
    """

    constraint: str = ""
    remarks: tuple[str, ...] = ()


def limits_like(
    there: Machine, constraints: Iterable[str], here: Machine, scale: str, parallel_cpus: float | None = None
) -> MachineLimits:
    """Return what tests may use of this machine so that they have as much as on another one.

    Args:
        there: The machine of the recording.
        constraints: The constraints of its session as written.
        here: This machine.
        scale: One of `LIKE_SCALES`.
        parallel_cpus: The CPUs that the tests used there at the same time, if it is known.

    Raises:
        TwinError: This machine has fewer CPUs and the scale is that of cores, or a machine has no scores.
    """
    given = [_options_of(text, there) for text in constraints]
    own = here.allowed or 1
    require_cpus(there, here, scale)
    cpus = _least_cpus(there, given)
    quota = _least([there.quota, *(each.get("cpu") for each in given)])
    memory = _least([there.usable_bytes, *(each.get("mem") for each in given)])
    disk = _least([each.get("io") for each in given])
    remarks, words = [], {}
    factor = min(1.0, own / there.cpus) if there.cpus else 1.0
    if factor < 1:
        remarks.append(f"{there.cpus} CPUs there, {own} here: shares of them are the same")
    cpus = None if cpus is None else max(1, math.ceil(cpus * factor))
    quota = None if quota is None else max(LEAST_CPU, quota * factor)
    period = ""
    if scale == BY_SPEED:
        quota, remark = _quota_of_slower(there, here, quota, min(cpus or own, parallel_cpus or cpus or own))
        remarks += [remark]
        period = SHORT_PERIOD if "slower" in remark else ""
    if cpus is not None and cpus < own:
        words["cpus"] = f"{cpus:g}"
    if quota is not None and quota < min(cpus or own, own):
        words["cpu"] = f"{quota:.4g}"
        words |= {"period": period} if period else {}
    if memory is not None and here.usable_bytes is not None and memory > here.usable_bytes:
        remarks.append(f"memory of {format_bytes(memory)} there, {format_bytes(here.usable_bytes)} here: not limited")
    elif memory is not None and (here.usable_bytes is None or memory < NEARLY * here.usable_bytes):
        words["mem"] = f"{max(int(memory), LEAST_MEMORY) // MIB}MiB"
    if disk is not None:
        words["io"] = f"{disk / 1e6:.6g}MB/s"
    return MachineLimits(" ".join(f"{name}={value}" for name, value in words.items()), tuple(remarks))


def cpus_of_tests(there: Machine, constraints: Iterable[str]) -> float | None:
    """Return the number of CPUs on which tests could run on a machine, under the constraints of its session."""
    return _least_cpus(there, [_options_of(text, there) for text in constraints])


def require_cpus(there: Machine, here: Machine, scale: str) -> None:
    """Check that a scale can be applied.

    Raises:
        TwinError: This machine has fewer CPUs and the scale is that of cores, or a machine has no scores.
    """
    if scale == BY_CORES:
        if there.cpus is None:
            raise TwinError(f"scale {BY_CORES}: the recording does not tell its number of CPUs; use {BY_SHARE}")
        if there.cpus > (here.allowed or 1):
            few = f"{there.cpus} CPUs there are more than the {here.allowed} that may be used here"
            raise TwinError(f"scale {BY_CORES}: {few}; use {BY_SHARE}")
    if scale == BY_SPEED:
        if there.speed is None:
            advice = f"run pytest-twin fingerprint there before the tests, or use {BY_SHARE}"
            raise TwinError(f"scale {BY_SPEED}: its fingerprint has no speed; {advice}")
        if here.speed is None:
            raise TwinError(f"scale {BY_SPEED}: the speed of this machine cannot be measured; use {BY_SHARE}")


def _quota_of_slower(there: Machine, here: Machine, quota: float | None, cpus: float) -> tuple[float | None, str]:
    """Return the quota that makes the CPUs as slow as the other ones, and what it reproduces."""
    assert there.speed is not None and here.speed is not None  # noqa: S101,PT018 - checked by the caller
    ratio = speed_ratio(there.speed, here.speed)
    if round(ratio, 2) == 1:
        return quota, "a CPU there is as fast as one here"
    if ratio > 1:
        return quota, f"a CPU there is {ratio:.2f} times as fast as one here: tests take longer here"
    return max(
        LEAST_CPU, ratio * min(quota or cpus, cpus)
    ), f"a slower CPU, {format_share(ratio)} as fast as one here, by a quota"


def _options_of(text: str, there: Machine) -> dict[str, float]:
    """Return the options of a constraint that was enforced on another machine: shares are of what that one has."""
    wholes = {"cpu": (there.usable_cpus, ""), "mem": (there.usable_bytes, "B")}
    words = {}
    for name, sign, value in (word.partition("=") for word in text.split()):
        whole, unit = wholes.get(name, (None, ""))
        if sign and value.endswith("%"):
            try:
                share = float(value[:-1]) / 100
            except ValueError:
                continue
            if whole is None:
                continue
            value = f"{int(share * whole)}{unit}" if unit else f"{share * whole:.6g}"  # noqa: PLW2901
        words[name] = value
    words.pop("period", None)
    try:
        return dict(parse_constraint(words).options)
    except ConstraintError:  # of a later version
        return {}


def _least_cpus(there: Machine, given: Iterable[Mapping[str, float]]) -> float | None:
    return _least([there.allowed or there.cpus, *(each.get("cpus") for each in given)])


def _least(values: Iterable[float | None]) -> float | None:
    return min((value for value in values if value is not None), default=None)
