"""A recorded run in memory."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, eq=False)
class Run:
    """A recorded run.

    Each frame has in its ``attrs``: ``units`` and ``meanings`` by column, and ``damaged``, the number of rows and cells
    that could not be read.

    Attributes:
        path: Where it was read from.
        samples: One row per sample; with several hosts, the column ``host`` names the host of the sample.
        events: One row per start, end, abort, skip or note.
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
