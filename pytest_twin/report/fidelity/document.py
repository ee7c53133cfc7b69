"""A scorecard as a JSON document."""

from __future__ import annotations

import json
import math
from typing import Any

from pytest_twin.analysis.fidelity.gates import GateVerdict
from pytest_twin.analysis.fidelity.scorecard import Scorecard

VERSION = 1


def text(card: Scorecard) -> str:
    """Return the document."""
    document = {
        "version": VERSION,
        "recording": card.names[0],
        "run": card.names[1],
        "verdict": card.verdict,
        "recording_interval_s": card.intervals_s[0],
        "run_interval_s": card.intervals_s[1],
        "interval_s": card.interval_s,
        "duration_s": card.duration_s,
        "resources": {
            each.name: {
                "verdict": each.verdict,
                "event_s": each.event_s,
                "wasserstein_points": each.wasserstein,
                "gates": {verdict.gate.name: _gate(verdict) for verdict in each.verdicts},
            }
            for each in card.resources
        },
        "gates": {card.coupling.gate.name: _gate(card.coupling)},
        "remarks": card.remarks,
    }
    return json.dumps(document, indent=1, ensure_ascii=False, allow_nan=False)


def _gate(verdict: GateVerdict) -> dict[str, Any]:
    low, high = (None if math.isinf(value) else value for value in verdict.limit)
    return {
        "verdict": verdict.verdict,
        "value": verdict.value,
        "min": low,
        "max": high,
        "unit": verdict.gate.unit,
        "catches": verdict.gate.catches,
        "remark": verdict.remark,
    }
