"""A run in a few lines, for an interpreter and a notebook."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import TYPE_CHECKING

from pytest_twin.model import event
from pytest_twin.model.sample_labels import cells

if TYPE_CHECKING:
    import pandas as pd

    from pytest_twin.model.run import Run


def run_facts(run: Run) -> Iterator[tuple[str, str]]:
    """Yield what a run is and has, as pairs of a name and a text."""
    yield "path", str(run.path)
    times = [frame.index for frame in (run.samples, run.events, run.tests) if len(frame)]
    if times:
        first, last = min(each.min() for each in times), max(each.max() for each in times)
        yield "time", f"{first:%Y-%m-%d %H:%M:%S} UTC, {(last - first).total_seconds():.1f} s"
    if machine := _machine(run):
        yield "machine", machine
    if run.hosts:
        yield "other hosts", ", ".join(run.hosts)
    outcomes = run.outcomes or _count_outcomes(run.tests)
    went = ", ".join(f"{count:,} {outcome}" for outcome, count in outcomes.items() if count)
    yield "tests", f"{sum(outcomes.values()):,}" + (f" ({went})" if went else "")
    yield "samples", f"{len(run.samples):,}{_interval(run.samples)}"
    starts = zip(cells(run.events, "event"), cells(run.events, "target"), strict=True)
    loads = sum(what == event.START and target is not None for what, target in starts)
    yield "events", f"{len(run.events):,}"
    yield "loads and constraints", f"{loads:,}"
    yield "problems", f"{len(run.problems):,}" if run.problems else "none"


def _machine(run: Run) -> str:
    parts = [part if isinstance(part, dict) else {} for part in map((run.fingerprint or {}).get, ("cpu", "memory"))]
    cpu, memory = parts
    facts = [
        cpu.get("model"),
        f"{cpu['logical']} CPUs" if "logical" in cpu else None,
        f"{memory['total_GB']:.1f} GiB" if isinstance(memory.get("total_GB"), int | float) else None,
    ]
    return ", ".join(str(fact) for fact in facts if fact)


def _count_outcomes(tests: pd.DataFrame) -> dict[str, int]:
    """Return the number of tests by the outcome of their last attempt."""
    which = [name for name in ("nodeid", event.HOST) if name in tests]
    last = tests.drop_duplicates(which, keep="last") if which else tests
    return Counter(filter(None, cells(last, "outcome")))


def _interval(samples: pd.DataFrame) -> str:
    """Return the median time between two samples; on several hosts these are not in one row."""
    if len(samples) < 2 or (event.HOST in samples and samples[event.HOST].notna().any()):
        return ""
    return f" every {samples.index.to_series().diff().median().total_seconds():.2g} s"
