"""A recorded run in memory."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, eq=False)
class Run:
    """What a run has recorded.

    Each frame has in its ``attrs``: ``units`` and ``meanings`` by column, and ``damaged``, the number of rows and cells
    that could not be read.

    Attributes:
        path: Where it was read from.
        samples: A row is a sample of the machine; where there are several hosts, of the one in the column ``host``.
        events: A row is something that started, ended, was aborted, skipped or noted.
        tests: A row is an attempt of a test.
        fingerprint: The hardware and software of pytest's host; None where nothing tells.
        schedule: The schedule that was played; None where there was none.
        problems: What of it could not be read, a line each; a run that was killed may have some.
        hosts: What is known of each other host, by the name that it has in the column ``host`` of the frames, which is
            missing for pytest's own: ``fingerprint``, and what else hosts.json says.
        outcomes: How many tests went how, as pytest has counted them; nothing where it did not come to its end.
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
