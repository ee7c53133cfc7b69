"""Parse and format amounts and durations as people write them: ``75%``, ``1GiB``, ``50MB/s``, ``200/s``, ``1m30s``."""

from __future__ import annotations

import math
import re
from typing import NamedTuple

from pytest_twin.model.error_text import shown, truncated
from pytest_twin.stressors.spec.kind import BYTES, COUNT, MAX, OPS, RATE, SHARE

LONGEST_S = 366 * 86400.0

_SIZES = {
    "B": 1, "kB": 10**3, "KB": 10**3, "MB": 10**6, "GB": 10**9, "TB": 10**12,
    "KiB": 2**10, "MiB": 2**20, "GiB": 2**30, "TiB": 2**40,
}  # fmt: skip
_UNITS = {*_SIZES, "%"}
_AMOUNT = re.compile(r"(-?\d{1,15}(?:\.\d{1,9})?)\s*(%|[kKMGT]?i?B)?(/s)?", re.ASCII)
_NUMBER = re.compile(r"-?\d{1,15}(\.\d{1,9})?", re.ASCII)
_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "min": 60.0, "h": 3600.0, "d": 86400.0}
_DURATION = re.compile(r"(\d{1,12}(?:\.\d{1,9})?)\s*(ms|s|min|m|h|d)", re.ASCII)


class Amount(NamedTuple):
    """A number and its kind: a count, a share (1.0 is all), bytes, or a rate of one of them; `MAX` has no number."""

    value: float
    unit: str


def parse_amount(raw: object, suitable: str = 'a number such as 8, or one with a unit such as "1GiB"') -> Amount:
    """Parse an amount; a number without a unit is a `COUNT`.

    Args:
        raw: What was written.
        suitable: What may be written, for the error message.

    Raises:
        ValueError: It is not one; the message says why.
    """
    if raw == "max":
        return Amount(0.0, MAX)
    too_long = isinstance(raw, int) and abs(raw) >= 10**15  # for the pattern too
    if isinstance(raw, bool) or not isinstance(raw, int | float | str) or too_long:
        raise ValueError(f"{shown(raw)} is not an amount; give {suitable}")
    text = " ".join(str(raw).split())
    match = _AMOUNT.fullmatch(text)
    if match is None or (match[3] and match[2] == "%") or (match[2] or "B") not in _UNITS:
        raise ValueError(f"{shown(raw)} is not an amount; give {suitable}")
    value = float(match[1])
    if value < 0:
        raise ValueError(f"{text} is below 0")
    if match[2] == "%":
        if value > 100:
            raise ValueError(f'"{text}" is over 100%; give 0-100%')
        return Amount(value / 100, SHARE)
    if match[2]:
        return Amount(value * _SIZES[match[2]], RATE if match[3] else BYTES)
    return Amount(value, OPS if match[3] else COUNT)


def parse_duration(raw: object) -> float:
    """Parse a duration into seconds, to the nanosecond: a number, or text such as ``500ms`` or ``1h30m``.

    Raises:
        ValueError: It is not one, is negative, or is over a year; the message says why.
    """
    seconds = math.nan
    if isinstance(raw, int | float) and not isinstance(raw, bool):
        seconds = float(min(max(raw, -1e15), 1e15))  # NaN stays NaN
    elif isinstance(raw, str) and (one := _DURATION.fullmatch(raw)):  # as most are written, and soon read
        seconds = float(one[1]) * _SECONDS[one[2]]
    elif isinstance(raw, str) and _NUMBER.fullmatch(raw.strip()):
        seconds = float(raw)
    elif isinstance(raw, str):
        text = raw.strip().removeprefix("-")
        parts = _DURATION.findall(text)
        if parts and _DURATION.sub("", text).strip() == "":
            seconds = sum(float(number) * _SECONDS[unit] for number, unit in parts)
            seconds = -seconds if raw.strip().startswith("-") else seconds
    if math.isnan(seconds):
        raise ValueError(f'{shown(raw)} is not a duration; write seconds, or text such as "500ms" or "1m30s"')
    if seconds < 0:
        raise ValueError(f"{_shown(raw)} is below 0")
    if seconds > LONGEST_S:
        raise ValueError(f"{_shown(raw)} is longer than a year")
    return round(seconds, 9)


def _shown(raw: object) -> str:
    return truncated(" ".join(str(raw).split())) if isinstance(raw, str) else shown(raw)


def parse_size(raw: object) -> float:
    """Parse a size into bytes, such as ``256KiB``.

    Raises:
        ValueError: It is not one.
    """
    value, unit = parse_amount(raw, 'a size such as "256KiB"')
    if unit != BYTES or value <= 0:
        raise ValueError(f'{shown(raw)} is not a size; write one such as "256KiB"')
    return value


def format_duration(seconds: float) -> str:
    """Format seconds so that `parse_duration` reads them back without loss."""
    return f"{seconds:.9f}".rstrip("0").rstrip(".") + "s"


def format_short_duration(seconds: float) -> str:
    """Format seconds as a person writes them, to the millisecond, so that `parse_duration` reads them: ``1h30m``."""
    hours, rest = divmod(round(seconds, 3), 3600)
    minutes, rest = divmod(round(rest, 3), 60)
    parts = [f"{round(many)}{unit}" for many, unit in ((hours, "h"), (minutes, "m")) if many]
    if rest or not parts:
        parts.append(f"{rest:.3f}".rstrip("0").rstrip(".") + "s")
    return "".join(parts)


def format_bytes(count: float, *, like: str = "MiB") -> str:
    """Format bytes for people: ``1.5GiB``, or ``1.6GB`` if the request uses such units."""
    decimal = like.endswith(("kB", "KB", "MB", "GB", "TB"))
    base, units = (1000, ("B", "kB", "MB")) if decimal else (1024, ("B", "KiB", "MiB"))
    for unit in units:
        if abs(round(count, 1)) < base:
            return f"{count:.1f}{unit}"
        count /= base
    return f"{count:.1f}{'GB' if decimal else 'GiB'}"


def format_share(share: float, digits: int = 0) -> str:
    """Format a measured share: ``89 %``. Amounts that can be given as they are printed, as of loads, have no space."""
    return f"{100 * share:.{digits}f} %"
