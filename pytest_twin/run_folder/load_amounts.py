"""Add the amounts of loads and constraints to a frame of events, as numbers beside their texts."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from pytest_twin.loads.amount_numbers import AmountNumbers, amount_numbers
from pytest_twin.model.event import ACHIEVED, ACHIEVED_TEXT, AMOUNTS

if TYPE_CHECKING:
    import pandas as pd

NO_LOAD = AmountNumbers(math.nan, math.nan, "")


def add_amounts(events: pd.DataFrame) -> pd.DataFrame:
    """Return events with the columns of `AMOUNTS`; the text that was in ``achieved`` is in ``achieved_text``."""
    import pandas as pd

    names = ("type", "target", ACHIEVED)
    if not {*names} <= {*events}:
        return events
    texts = (events[name].astype(object).where(events[name].notna(), "") for name in names)
    found = [amount_numbers(*row) if row[1] else NO_LOAD for row in zip(*texts, strict=True)]
    numbers = pd.DataFrame(found, index=events.index, columns=list(AmountNumbers._fields))
    values = {
        "asked": numbers["asked"].astype(float),
        ACHIEVED: numbers[ACHIEVED].astype(float),
        "unit": numbers["unit"].astype(events[ACHIEVED].dtype).where(numbers["unit"].ne("")),
        ACHIEVED_TEXT: events[ACHIEVED],
    }
    first = list(events).index(ACHIEVED)
    frame = events.drop(columns=[name for name in values if name in events])
    for place, column in enumerate(AMOUNTS, first):
        frame.insert(place, column.name, values[column.name])
        for name, text in (("units", column.unit), ("meanings", column.meaning)):
            frame.attrs.setdefault(name, {})[column.name] = text
    return frame
