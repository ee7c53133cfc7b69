"""A recorded run in memory."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

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
        problems: What could not be read, one line each; a killed run may have some.
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

        Some columns are read less often than rows are written, and cover more time than the row (docs/columns.md). A
        cell that covers time before its test is missing.
        """
        from pytest_twin.model.sample_labels import label_samples

        return label_samples(self)

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
        return label_samples(self, nodeid)

    def __repr__(self) -> str:
        from pytest_twin.model.run_overview import run_facts

        return f"<Run {'; '.join(f'{name}: {text}' for name, text in run_facts(self))}>"

    def _repr_html_(self) -> str:
        """Return the summary that a notebook shows."""
        from html import escape

        from pytest_twin.model.run_overview import run_facts

        facts = [*run_facts(self)]
        rows = (f"<tr><th scope='row'>{name}</th><td>{escape(text)}</td></tr>" for name, text in facts)
        problems = "".join(f"<li>{escape(problem)}</li>" for problem in self.problems)
        return f"<table>{''.join(rows)}</table>" + (f"<ul>{problems}</ul>" if problems else "")
