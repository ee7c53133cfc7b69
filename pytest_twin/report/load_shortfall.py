"""Say what loads achieved, and by how much they came short of their request."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence

from pytest_twin.analysis.run.load_lines import NOTICEABLE, LoadLine
from pytest_twin.loads.amount_numbers import read_amount
from pytest_twin.model.quantity import format_share

MOST = 3  # amounts that are listed, and troubles, of one request
FIGURE = re.compile(r"\d[\d.,]*")


def achieved_amounts(line: LoadLine) -> str:
    """Return the different amounts that loads achieved; of many, their number and range; empty if none is known.

    Amounts of two units, as a constraint of CPUs and memory has, have a range each.
    """
    if len(line.achieved) <= MOST:
        return ", ".join(line.achieved)
    texts_by_unit: dict[str, dict[float, str]] = {}
    for part in (part for text in line.achieved for part in text.split(", ")):
        amount = read_amount(part)
        texts_by_unit.setdefault(amount.unit, {})[amount.value] = part
    return f"{', '.join(map(_range, texts_by_unit.values()))} ({len(line.achieved)} amounts)"


def _range(texts: Mapping[float, str]) -> str:
    """Return the smallest and the largest of some amounts, given by value."""
    return " to ".join(dict.fromkeys((texts[min(texts)], texts[max(texts)])))


def load_troubles(line: LoadLine) -> Sequence[str]:
    """Return why loads came short of their request; where no reason is known, by how much."""
    if line.troubles or line.lowest_share is None or line.lowest_share >= NOTICEABLE:
        return line.troubles
    return (f"achieved {format_share(line.lowest_share)} of the request",)


def fold_alike(troubles: Iterable[str]) -> list[str]:
    """Return the first troubles, each with the number of those that differ from it only in their figures."""
    alike: dict[str, list[str]] = {}
    for each in troubles:
        alike.setdefault(FIGURE.sub("", each), []).append(each)
    told = list(alike.values())[:MOST]
    return [f"{first}, and {len(more)} more like this" if more else first for first, *more in told]
