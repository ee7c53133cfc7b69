"""The gates of fidelity: what each measures, what it catches, and its limits."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any, NamedTuple

from pytest_twin.model.error_text import shown, unknown

PASSED, FAILED, NOT_JUDGED = "passed", "failed", "not judged"


class LimitDeclaration(NamedTuple):
    """The declaration of a limit, apart from its name and default: its help, and the range of its values."""

    help: str
    lowest: float
    highest: float


def _limit(default: float, text: str, lowest: float = 0.0, highest: float = math.inf) -> Any:
    return field(default=default, metadata={"limit": LimitDeclaration(text, lowest, highest)})


@dataclass(frozen=True)
class FidelityGates:
    """The limits of the gates; the bias of 5 % is that of Tracie, ASHRAE Guideline 14 has 10 % for hourly values."""

    min_coverage: float = _limit(0.95, "least share of the recording's intervals that the run has too", 0, 1)
    max_bias: float = _limit(5.0, "largest mean bias (NMBE), in per cent of the recorded mean")
    max_cv_rmse: float = _limit(30.0, "largest CV(RMSE), in per cent of the recorded mean")
    min_skill: float = _limit(0.6, "least skill, 1 - RMSE²/variance of the recording", -math.inf, 1)
    min_correlation: float = _limit(0.8, "least Pearson correlation at lag 0", -1, 1)
    max_lag_samples: float = _limit(2.0, "largest lag and drift of the lag in samples; the larger limit counts")
    max_lag_s: float = _limit(1.0, "largest lag and drift of the lag in seconds; the larger limit counts")
    max_peak_error: float = _limit(
        5.0, "largest error of the 95th and 99th percentile, in points: hundredths of the range"
    )
    min_change_correlation: float = _limit(0.7, "least correlation of changes over the shortest event", -1, 1)
    min_change_ratio: float = _limit(0.5, "least ratio of the standard deviations of these changes")
    max_change_ratio: float = _limit(2.0, "largest ratio of the standard deviations of these changes")
    max_coupling_error: float = _limit(0.2, "largest difference of a correlation between two resources", 0, 2)


class GateError(ValueError):
    """A limit is invalid; the message is for the user."""


def limit_declarations() -> dict[str, LimitDeclaration]:
    """Return the declarations of the limits by name."""
    return {each.name: each.metadata["limit"] for each in fields(FidelityGates)}


def parse_gates(raw: Mapping[str, Any]) -> FidelityGates:
    """Return the gates with these limits, and the defaults for all others.

    Raises:
        GateError: A name is unknown, or a value is no number in its range.
    """
    declared, limits = limit_declarations(), {}
    for name, value in raw.items():
        if name not in declared:
            raise GateError(unknown(name, declared, "gate"))
        lowest, highest = declared[name].lowest, declared[name].highest
        number = _number(value)
        if number is None or not lowest <= number <= highest:
            raise GateError(f"{name}: {shown(value)} is not {_range(lowest, highest)}")
        limits[name] = number
    return FidelityGates(**limits)


def _number(value: object) -> float | None:
    try:
        number = None if isinstance(value, bool) else float(str(value))
    except ValueError:
        return None
    return None if number is None or not math.isfinite(number) else number


def _range(lowest: float, highest: float) -> str:
    if math.isinf(highest):
        return f"a number of at least {lowest:g}"
    return f"a number of at most {highest:g}" if math.isinf(lowest) else f"a number from {lowest:g} to {highest:g}"


class Gate(NamedTuple):
    """A gate.

    Attributes:
        name: Its name in documents.
        title: Its name for people.
        unit: The unit of its value: ``%``, ``s``, ``points`` (hundredths of the recorded range
            from the 1st to the 99th percentile, of a share at least of a quarter of the machine), or empty.
        catches: What makes a run fail it, as one clause.
    """

    name: str
    title: str
    unit: str
    catches: str


COVERAGE = Gate("coverage", "coverage", "", "the run is truncated or has gaps")
BIAS = Gate("bias", "mean bias (NMBE)", "%", "the run is scaled or offset, or shows another metric")
CV_RMSE = Gate("cv_rmse", "CV(RMSE)", "%", "single values are off: shuffled, noise")
SKILL = Gate("skill", "skill", "", "the run tells no more than the mean does: shuffled, noise, constant")
CORRELATION = Gate("correlation", "Pearson r at lag 0", "", "the order is another one: shuffled, inverted")
LAG = Gate("lag", "lag", "s", "the run is late or early")
DRIFT = Gate("drift", "drift of the lag", "s", "the run is faster or slower than the recording")
P95 = Gate("p95", "error of p95", "points", "peaks are clipped or exceeded")
P99 = Gate("p99", "error of p99", "points", "the highest peaks are clipped or exceeded")
CHANGE_CORRELATION = Gate(
    "change_correlation", "r of changes", "", "changes are smoothed, resampled, or buried in noise"
)
CHANGE_RATIO = Gate("change_ratio", "ratio of changes", "", "changes are too small (smoothed) or too large (noisy)")
COUPLING = Gate("coupling", "correlation between resources", "", "resources are swapped, or shifted against each other")
RESOURCE_GATES = (
    COVERAGE, BIAS, CV_RMSE, SKILL, CORRELATION, LAG, DRIFT, P95, P99, CHANGE_CORRELATION, CHANGE_RATIO
)  # fmt: skip

SHAPE_GATES = SKILL, CORRELATION, LAG, DRIFT, CHANGE_CORRELATION, CHANGE_RATIO
"""Those that compare how a resource varies; the others compare its level."""


class Limit(NamedTuple):
    """The range of the values that pass a gate."""

    low: float = -math.inf
    high: float = math.inf


def limits_of(gates: FidelityGates, interval_s: float) -> dict[Gate, Limit]:
    """Return the limit of each gate.

    Args:
        gates: The limits.
        interval_s: The interval that recording and run were resampled to.
    """
    lag = max(gates.max_lag_samples * interval_s, gates.max_lag_s) * (1 + 1e-9)  # lags are multiples of the interval
    peak = Limit(-gates.max_peak_error, gates.max_peak_error)
    return {
        COVERAGE: Limit(low=gates.min_coverage),
        BIAS: Limit(-gates.max_bias, gates.max_bias),
        CV_RMSE: Limit(high=gates.max_cv_rmse),
        SKILL: Limit(low=gates.min_skill),
        CORRELATION: Limit(low=gates.min_correlation),
        LAG: Limit(-lag, lag),
        DRIFT: Limit(-lag, lag),
        P95: peak,
        P99: peak,
        CHANGE_CORRELATION: Limit(low=gates.min_change_correlation),
        CHANGE_RATIO: Limit(gates.min_change_ratio, gates.max_change_ratio),
        COUPLING: Limit(high=gates.max_coupling_error),
    }


class GateVerdict(NamedTuple):
    """The verdict of a gate.

    Attributes:
        gate: The gate.
        verdict: `PASSED`, `FAILED` or `NOT_JUDGED`.
        value: What was measured; None where it could not be.
        limit: The values that pass.
        remark: Why it was not judged, or what the value belongs to.
    """

    gate: Gate
    verdict: str
    value: float | None
    limit: Limit
    remark: str = ""


def judge(gate: Gate, measured: float | str, limit: Limit, remark: str = "") -> GateVerdict:
    """Return the verdict on a value, or on the reason why there is none."""
    if isinstance(measured, str):
        return GateVerdict(gate, NOT_JUDGED, None, limit, measured)
    verdict = PASSED if limit.low <= measured <= limit.high else FAILED
    return GateVerdict(gate, verdict, measured, limit, remark)
