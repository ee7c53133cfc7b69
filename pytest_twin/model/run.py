"""A recorded run in memory."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pytest_twin.model import event

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, eq=False, repr=False)
class Run:
    """A recorded run.

    Each frame has in its ``attrs``: ``units`` and ``meanings`` by column, and ``damaged``, the number of rows and cells
    that could not be read. Its ``repr``, and what a notebook shows of it, is a summary.

    Attributes:
        path: Where it was read from.
        samples: One row per sample; with several hosts, the column ``host`` names the host of the sample.
        events: One row per start, end, abort, skip or note. Of loads and constraints the columns ``asked`` and
            ``achieved`` have the requested and the achieved amount as numbers of ``unit``; ``target`` and
            ``achieved_text`` have them as they are written in the file.
        tests: One row per attempt of a test.
        fingerprint: The hardware and software of pytest's host; None if unknown.
        schedule: The schedule that was played; None if there was none.
        problems: What could not be read, one line each; a killed run may have some. A file of the old scripts has a
            line about its times: they are local times without a zone, and are taken as UTC.
        hosts: The other hosts by their name in the column ``host`` of the frames, which is missing for pytest's own:
            their ``fingerprint``, and what else hosts.json has.
        outcomes: The number of tests by outcome, as pytest counted them; empty if the session did not finish.
    """

    path: Path
    samples: pd.DataFrame
    events: pd.DataFrame
    tests: pd.DataFrame
    fingerprint: dict[str, Any] | None = None
    schedule: dict[str, Any] | None = None
    problems: tuple[str, ...] = ()
    hosts: dict[str, dict[str, Any]] = field(default_factory=dict)
    outcomes: dict[str, int] = field(default_factory=dict)

    def labelled(self) -> pd.DataFrame:
        """Return all samples with the test in which each was taken: the columns ``test``, ``attempt`` and ``worker``.

        A sample covers the time since the sample before it on its host. It belongs to a test if all of that time lies
        within one attempt of the test, set-up and teardown included. A sample across the start or the end of a test
        belongs to no test, and so does the first one of the run: no figure of a test has a share of what was beside
        it. Such a sample, and one between tests, has one row, in which ``test`` is missing.

        Where several tests run at once, as with pytest-xdist, a sample has one row for each of them: group by ``test``
        before anything is added up. Columns of the whole host tell what all of them did together.

        Some columns are read less often than rows are written, and cover more time than the row
        (docs/reference/columns.md). A cell that covers time before its test is missing.
        """
        from pytest_twin.model.sample_labels import label_samples

        return label_samples(self.samples, self.events, self.tests)

    def during(self, nodeid: str) -> pd.DataFrame:
        """Return the samples that were taken in one test, of all of its attempts: its rows of `labelled`.

        A test that is shorter than two sampling intervals may have none; tests.csv has its exact figures.

        Args:
            nodeid: The node ID of the test, as in the column ``nodeid`` of `tests`.

        Raises:
            KeyError: The run has no such test.
        """
        from pytest_twin.model.error_text import unknown
        from pytest_twin.model.sample_labels import cells, label_samples

        known = {*cells(self.tests, "nodeid"), *cells(self.events, "test")} - {None}
        if nodeid not in known:
            raise KeyError(unknown(nodeid, known, "test"))
        return label_samples(self.samples, self.events, self.tests, nodeid)

    def __repr__(self) -> str:
        return f"<Run {'; '.join(f'{name}: {text}' for name, text in self._facts())}>"

    def _repr_html_(self) -> str:
        """Return the summary that a notebook shows."""
        from html import escape

        rows = (f"<tr><th scope='row'>{name}</th><td>{escape(text)}</td></tr>" for name, text in self._facts())
        problems = "".join(f"<li>{escape(problem)}</li>" for problem in self.problems)
        return f"<table>{''.join(rows)}</table>" + (f"<ul>{problems}</ul>" if problems else "")

    def _facts(self) -> Iterator[tuple[str, str]]:
        """Yield what the run is and has, as pairs of a name and a text."""
        from pytest_twin.model.sample_labels import cells

        yield "path", str(self.path)
        times = [frame.index for frame in (self.samples, self.events, self.tests) if len(frame)]
        if times:
            first, last = min(each.min() for each in times), max(each.max() for each in times)
            yield "time", f"{first:%Y-%m-%d %H:%M:%S} UTC, {(last - first).total_seconds():.1f} s"
        if machine := _machine(self.fingerprint or {}):
            yield "machine", machine
        if self.hosts:
            yield "other hosts", ", ".join(self.hosts)
        outcomes = self.outcomes or _count_outcomes(self.tests)
        went = ", ".join(f"{count:,} {outcome}" for outcome, count in outcomes.items() if count)
        yield "tests", f"{sum(outcomes.values()):,}" + (f" ({went})" if went else "")
        yield "samples", f"{len(self.samples):,}{_interval(self.samples)}"
        starts = zip(cells(self.events, "event"), cells(self.events, "target"), strict=True)
        loads = sum(what == event.START and target is not None for what, target in starts)
        yield "events", f"{len(self.events):,}"
        yield "loads and constraints", f"{loads:,}"
        yield "problems", f"{len(self.problems):,}" if self.problems else "none"


def _machine(fingerprint: dict[str, Any]) -> str:
    cpu, memory = (part if isinstance(part, dict) else {} for part in map(fingerprint.get, ("cpu", "memory")))
    facts = [
        cpu.get("model"),
        f"{cpu['logical']} CPUs" if "logical" in cpu else None,
        f"{memory['total_GB']:.1f} GiB" if isinstance(memory.get("total_GB"), int | float) else None,
    ]
    return ", ".join(str(fact) for fact in facts if fact)


def _count_outcomes(tests: pd.DataFrame) -> dict[str, int]:
    """Return the number of tests by the outcome of their last attempt."""
    from pytest_twin.model.sample_labels import cells

    which = [name for name in ("nodeid", event.HOST) if name in tests]
    last = tests.drop_duplicates(which, keep="last") if which else tests
    return Counter(filter(None, cells(last, "outcome")))


def _interval(samples: pd.DataFrame) -> str:
    """Return the median time between two samples, of two the longer one; on several hosts these are not in one row."""
    if len(samples) < 2 or (event.HOST in samples and samples[event.HOST].notna().any()):
        return ""
    steps = samples.index.to_series().diff().dt.total_seconds()
    return f" every {steps.quantile(interpolation='higher'):.2g} s"  # the last sample comes when the run ends
