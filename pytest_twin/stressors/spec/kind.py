"""The declaration of a kind of load, from which marks, schedules and the command line offer it."""

from __future__ import annotations

COUNT = "count"  # of workers, instances, files or threads
SHARE = "share"  # of what this process may use; 1.0 is all of it
BYTES = "bytes"
RATE = "bytes/s"
OPS = "ops/s"  # operations per second
MAX = "max"  # as fast as possible


class Kind:
    """One kind of load.

    Attributes:
        keyword: Its keyword in marks, schedules and on the command line (``cpu``).
        type: The ``type`` of its rows in annotations.csv (``cpu``, ``memory``, ``disk``).
        module: The module of its stressor, which has ``workers(job)`` and ``stress(job)``.
        units: The units that its amount may have (`COUNT`, `SHARE`, `BYTES`, `RATE`, `OPS`, `MAX`).
        bare: The unit of a number without a unit, and its factor; None if a number needs a unit.
        amounts: The amounts that may be written, for error messages and help.
        modifiers: The keywords of its modifiers, besides ``ramp``, ``steps`` and ``stages``.
        measure: The figure that is compared with the amount (``cpu_s``, ``peak_bytes``, ``moved_bytes``). If only the
            stressor knows what a share is a share of, it reports that as ``of_`` and this name.
        fixed: The units whose amount cannot change over time, since it is a piece of work and not a level.
        most: The largest `COUNT`.
        level: The figure with the present amount, for an amount that is held; empty for a rate.
    """

    __slots__ = (
        "amounts", "bare", "fixed", "keyword", "level", "measure", "modifiers", "module", "most", "type", "units",
    )  # fmt: skip

    def __init__(
        self,
        *,
        keyword: str,
        type: str,  # noqa: A002 - as the column is called
        module: str,
        units: tuple[str, ...],
        bare: tuple[str, float] | None,
        amounts: str,
        modifiers: tuple[str, ...],
        measure: str,
        fixed: tuple[str, ...] = (),
        most: int = 10_000,
        level: str = "",
    ) -> None:
        self.keyword, self.type, self.module, self.units, self.bare = keyword, type, module, units, bare
        self.amounts, self.modifiers, self.measure, self.fixed = amounts, modifiers, measure, fixed
        self.most, self.level = most, level
