"""What a stressor says of itself, so that every door offers it without knowing it."""

from __future__ import annotations

COUNT = "count"  # whole workers
SHARE = "share"  # of what this process may use, 1.0 is all of it
BYTES = "bytes"
RATE = "bytes/s"
OPS = "ops/s"  # operations a second
MAX = "max"  # as fast as it goes


class Kind:
    """One kind of load.

    Attributes:
        keyword: The word in markers, schedules and on the command line (``cpu``).
        type: The ``type`` of its rows in annotations.csv (``cpu``, ``memory``, ``disk``).
        module: The module that applies it; it has ``workers(job)`` and ``stress(job)``.
        units: The units its amount may have (`COUNT`, `SHARE`, `BYTES`, `RATE`, `OPS`, `MAX`).
        bare: The unit of a number without one, and how many of that unit one is; None where there is no such thing.
        amounts: What may be written, for error messages and help.
        modifiers: The further keywords that it understands, beside ``ramp``, ``steps`` and ``stages``.
        measure: The achieved figure that answers the amount (``cpu_s``, ``peak_bytes``, ``moved_bytes``).
            What a share is a share of, where only the stressor knows it, is the figure ``of_`` and this name.
        fixed: Those of its units whose amount cannot change over time, since it is a piece of work and not a level.
        most: The largest `COUNT`.
        level: Where the amount is a level that is held, the figure that says how much of it there is at a moment; empty
            where it is a rate, which `measure` adds up.
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
